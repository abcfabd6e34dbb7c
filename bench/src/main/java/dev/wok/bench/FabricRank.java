package dev.wok.bench;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.device.Memory;
import dev.wok.fabric.Exchange;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.LinkProbe;
import dev.wok.fabric.Membership;
import dev.wok.fabric.Placement;
import dev.wok.fabric.Rendezvous;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/// One rank of a group that is measured, a process of its own: reads commands, rank 0 answers.
final class FabricRank {
    private final Fabric fabric;
    private final HostDevice device;

    FabricRank(Fabric fabric, HostDevice device) {
        this.fabric = fabric;
        this.device = device;
    }

    /// What the process runs: `WOK_RANK` and its like say which rank it is.
    public static void main(String[] arguments) throws IOException {
        Membership membership = Membership.of(System.getenv()).orElseThrow();
        PrintStream out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        try (Fabric fabric = join(membership, out);
                HostDevice device = Device.host(1);
                BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8))) {
            FabricRank rank = new FabricRank(fabric, device);
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                double[] nanos = rank.measure(RankCommand.parse(line));
                if (fabric.rank() == 0) {
                    out.println(Arrays.stream(nanos)
                            .mapToObj(value -> String.format(Locale.ROOT, "%.1f", value))
                            .collect(Collectors.joining(" ")));
                }
            }
        }
    }

    /// Rank 0 first says where it waits for the others.
    private static Fabric join(Membership membership, PrintStream out) {
        if (membership.rank() > 0) {
            return Fabric.join(membership, Progress.silent());
        }
        try (Rendezvous rendezvous = Rendezvous.open(membership, Progress.silent())) {
            out.println(rendezvous.address());
            return rendezvous.join();
        }
    }

    double[] measure(RankCommand command) {
        return switch (command) {
            case RankCommand.Latency latency -> latency(latency);
            case RankCommand.Tokens tokens -> tokens(tokens);
            case RankCommand.Reduce reduce -> reduce(reduce);
            case RankCommand.Gather gather -> gather(gather);
        };
    }

    private double[] latency(RankCommand.Latency command) {
        double[] nanos = new double[command.batches()];
        if (fabric.rank() > 1) {
            return nanos;
        }
        LinkProbe probe = new LinkProbe(fabric, 1 - fabric.rank());
        try (Memory memory = device.memory()) {
            MemorySegment bytes = memory.tensor(DType.I8, command.bytes()).memory();
            for (int batch = -1; batch < nanos.length; batch++) {
                long begin = System.nanoTime();
                for (int i = 0; i < command.trips(); i++) {
                    if (fabric.rank() == 0) {
                        probe.ask(bytes);
                    } else {
                        probe.answer(bytes);
                    }
                }
                if (batch >= 0) {
                    nanos[batch] = (System.nanoTime() - begin) / 2.0 / command.trips();
                }
            }
        }
        return nanos;
    }

    private double[] tokens(RankCommand.Tokens command) {
        FabricJob job = command.job();
        Exchange exchange = fabric.exchange(new Exchange.Desc(
                job.hidden(),
                job.topK(),
                Placement.even(job.experts(), fabric.size()),
                fabric.size(),
                job.dispatch(),
                job.combine()));
        try (Memory memory = device.memory()) {
            Tensor x = memory.tensor(DType.F32, job.tokens(), job.hidden());
            Tensor choices = memory.tensor(DType.I32, job.tokens(), job.topK());
            Tensor weights = memory.tensor(DType.F32, job.tokens(), job.topK());
            job.fill(fabric.rank(), x, choices, weights);
            Exchange.Route route = exchange.route(choices, weights);
            Tensor arrived = memory.tensor(DType.F32, route.arrivals(), job.hidden());
            Tensor rows = memory.tensor(DType.F32, route.rows(), job.hidden());
            Tensor y = memory.tensor(DType.F32, job.tokens(), job.hidden());
            exchange.dispatch(route, x, arrived).await();
            spread(arrived, route.rowToken(), rows);
            arrived.memory().fill((byte) 0);
            double[] nanos = repeat(command.warmUp(), command.repeats(), () -> {
                Exchange.Arriving arriving = exchange.begin(choices, weights, x, count -> arrived);
                arriving.await();
                Exchange.Results results = exchange.combine(arriving.route(), rows, true);
                results.addTo(y);
                results.await();
            });
            requireArrived(route, arrived, rows);
            job.check(fabric.rank(), y, command.warmUp() + command.repeats());
            return nanos;
        }
    }

    /* By itself: a loop that is compiled anew beside what is measured would be measured, too. */
    private static void spread(Tensor tokens, int[] rowToken, Tensor rows) {
        for (int row = 0; row < rowToken.length; row++) {
            rows.select(0, row).copyFrom(tokens.select(0, rowToken[row]));
        }
    }

    /// @param rows what had come before
    private void requireArrived(Exchange.Route route, Tensor arrived, Tensor rows) {
        long bytes = rows.dim(1) * Float.BYTES;
        int[] rowToken = route.rowToken();
        for (int row = 0; row < rowToken.length; row++) {
            long from = row * bytes;
            long at = rowToken[row] * bytes;
            if (MemorySegment.mismatch(rows.memory(), from, from + bytes, arrived.memory(), at, at + bytes) >= 0) {
                throw new IllegalStateException(
                        "rank %d, row %d: its token came another way".formatted(fabric.rank(), row));
            }
        }
    }

    private double[] reduce(RankCommand.Reduce command) {
        try (Memory memory = device.memory()) {
            int floats = command.bytes() / Float.BYTES;
            MemorySegment part = memory.tensor(DType.F32, floats).memory();
            long[] bounds = even(floats);
            int rank = fabric.rank();
            MemorySegment sum =
                    memory.tensor(DType.F32, bounds[rank + 1] - bounds[rank]).memory();
            return repeat(command.warmUp(), command.repeats(), () -> fabric.reduceScatter(List.of(part), bounds, sum));
        }
    }

    private double[] gather(RankCommand.Gather command) {
        try (Memory memory = device.memory()) {
            MemorySegment all = memory.tensor(DType.I8, command.bytes()).memory();
            long[] bounds = even(command.bytes());
            return repeat(command.warmUp(), command.repeats(), () -> fabric.allGather(all, bounds));
        }
    }

    private long[] even(long count) {
        return LongStream.rangeClosed(0, fabric.size())
                .map(rank -> count * rank / fabric.size())
                .toArray();
    }

    private double[] repeat(int warmUp, int repeats, Runnable call) {
        double[] nanos = new double[repeats];
        for (int i = -warmUp; i < repeats; i++) {
            fabric.barrier();
            long begin = System.nanoTime();
            call.run();
            fabric.barrier();
            if (i >= 0) {
                nanos[i] = System.nanoTime() - begin;
            }
        }
        return nanos;
    }
}
