package dev.wok.bench;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.fabric.Exchange.Payload;
import dev.wok.fabric.Membership.Transport;
import dev.wok.kernel.Processor;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.train.MachineMemory;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Supplier;
import java.util.stream.DoubleStream;
import java.util.stream.Stream;

/// Groups of ranks that are processes of this machine: frames between two of them, tokens to experts
/// and back, sums. In turns with the same over Open MPI, and with the copies that the exchange cannot
/// do without.
final class FabricBench {
    private static final int ROUNDS = 3;
    private static final int[] RANKS = {2, 4};
    private static final int[] HIDDEN = {2048, 7168};
    private static final Turn[] TOKENS = {new Turn(128, 600, 100, 40), new Turn(4096, 40, 2, 5)};
    private static final Frame[] FRAMES = {
        new Frame("8", 8, 3000),
        new Frame("4k", 4 << 10, 1500),
        new Frame("64k", 64 << 10, 200),
        new Frame("1m", 1 << 20, 30)
    };
    private static final int BATCHES = 31;
    private static final int SUM_BYTES = 64 << 20;
    private static final int SUM_REPEATS = 7;

    /// What is said in advance of a machine's memory.
    private static final double MARGIN = 1.2;

    /// @param tokens of each rank
    /// @param before calls of Wok's before the first turn, until Java has compiled what they run
    /// @param warmUp calls in each turn
    /// @param repeats calls in each turn that count
    private record Turn(int tokens, int before, int warmUp, int repeats) {}

    /// @param trips in each batch of ordinary speed; slower transports get fewer
    private record Frame(String name, int bytes, int trips) {}

    private static final String LINK = "link";
    private static final List<Transport> SOCKETS = List.of(Transport.UNIX, Transport.TCP);

    /// Sockets are timed over so many fewer round trips than shared memory.
    private static final int SLOWER = 20;

    /// Bytes from which on the rate says something.
    private static final int LARGE = 1 << 16;

    /// What moves bytes where no machine code does.
    private static final String JAVA = "java";

    private static final int COPIED_BEFORE = 10;

    private final List<Row> rows = new ArrayList<>();
    private final HostDevice device;
    private final List<String> wanted;
    private final CopyLimit copies;
    private final Limit copy;
    private final Optional<OpenMpi> peer;
    private final String instructionSet;
    private final Path folder;
    private final Progress.Task task;
    private final Progress progress;

    private FabricBench(HostDevice device, List<String> wanted, Path folder, Progress progress, Progress.Task task) {
        this.device = device;
        this.wanted = wanted;
        this.folder = folder;
        this.progress = progress;
        this.task = task;
        Processor processor = Processor.describe(device);
        instructionSet = processor.used().map(Processor.InstructionSet::name).orElse(JAVA);
        copies = new CopyLimit(device, Limits.loops(device, processor));
        copy = Limits.of(device, processor, Sizes.FULL.memoryBytes()).memory(Mix.COPY);
        peer = OpenMpi.compile(folder, progress);
    }

    /// @param only the names of the measurements that are wanted, or none for all
    static List<Row> run(List<String> only, Progress progress) {
        List<String> wanted = chosen(only);
        Path folder;
        try {
            folder = Files.createTempDirectory("wok-bench-fabric");
        } catch (IOException e) {
            throw BadInput.writing(Path.of(System.getProperty("java.io.tmpdir")), e);
        }
        try (HostDevice device = Device.host(Runtime.getRuntime().availableProcessors());
                Progress.Task task = progress.start("measuring the exchange", wanted.size(), "measurements")) {
            FabricBench bench = new FabricBench(device, wanted, folder, progress, task);
            bench.measure();
            return List.copyOf(bench.rows);
        } finally {
            delete(folder);
        }
    }

    private static List<String> chosen(List<String> only) {
        List<String> all = new ArrayList<>(List.of(LINK));
        for (int ranks : RANKS) {
            for (Turn turn : TOKENS) {
                for (int hidden : HIDDEN) {
                    all.add(exchange(ranks, turn, hidden));
                }
            }
            all.add(sums(ranks));
        }
        SOCKETS.forEach(transport -> all.add(name(transport)));
        for (String name : only) {
            if (!all.contains(name)) {
                throw new BadInput("--only %s: expected some of %s.".formatted(name, String.join(", ", all)));
            }
        }
        return all.stream()
                .filter(name -> only.isEmpty() || only.contains(name))
                .toList();
    }

    private static String exchange(int ranks, Turn turn, int hidden) {
        return "exchange_r%d_t%d_h%d".formatted(ranks, turn.tokens(), hidden);
    }

    private static String sums(int ranks) {
        return "sums_r%d".formatted(ranks);
    }

    private static String name(Transport transport) {
        return transport.name().toLowerCase(Locale.ROOT);
    }

    private void measure() {
        for (int ranks : RANKS) {
            String of = "_r%d".formatted(ranks);
            if (wanted.stream().anyMatch(name -> name.contains(of)) || ranks == 2 && wanted.contains(LINK)) {
                try (RankGroup own = RankGroup.wok(ranks, Transport.SHARED, folder);
                        Peer other = peer(ranks, OpenMpi.Dispatch.ONCE);
                        Peer each = peer(ranks, OpenMpi.Dispatch.FOR_EACH_CHOICE)) {
                    if (ranks == 2) {
                        measure(LINK, () -> frames(own, other));
                    }
                    exchanges(own, other, each, ranks);
                    measure(sums(ranks), () -> sums(own, ranks));
                }
            }
        }
        for (Transport transport : SOCKETS) {
            measure(name(transport), () -> {
                try (RankGroup own = RankGroup.wok(2, transport, folder);
                        RankGroup shared = RankGroup.wok(2, Transport.SHARED, folder)) {
                    sockets(own, name(transport), shared);
                }
            });
        }
    }

    private void measure(String name, Runnable measurement) {
        if (wanted.contains(name)) {
            task.detail(name);
            measurement.run();
            task.advance(1);
        }
    }

    private Peer peer(int ranks, OpenMpi.Dispatch dispatch) {
        return new Peer(peer.stream()
                .flatMap(mpi -> Arrays.stream(OpenMpi.Copies.values())
                        .map(copies -> RankGroup.mpi(mpi, ranks, copies, dispatch, folder)))
                .toList());
    }

    /// The peer in each of its settings: the faster answer counts. Where there is no peer, nothing
    /// is asked and nothing answered.
    private record Peer(List<RankGroup> settings) implements AutoCloseable {
        Optional<double[]> ask(RankCommand command) {
            return settings.stream()
                    .map(group -> group.ask(command))
                    .min(Comparator.comparingDouble(FabricBench::median));
        }

        @Override
        public void close() {
            settings.forEach(RankGroup::close);
        }
    }

    private void frames(RankGroup own, Peer other) {
        double shortest = 0;
        for (Frame frame : FRAMES) {
            RankCommand command = new RankCommand.Latency(frame.bytes(), frame.trips(), BATCHES);
            Turns turns = turns(() -> own.ask(command), () -> other.ask(command));
            shortest = shortest == 0 ? turns.own() : shortest;
            if (peer.isPresent()) {
                String against = peer.get().version();
                add("one_way_" + frame.name() + ".mpi", turns.own() * 1e-3, "µs", against, turns.peer() * 1e-3, 2);
                if (frame.bytes() >= LARGE) {
                    double rate = frame.bytes() / turns.own();
                    add("bandwidth_" + frame.name() + ".mpi", rate, "GB/s", against, frame.bytes() / turns.peer(), 2);
                }
            }
        }
        String against = "a value handed from one thread to another";
        add("one_way_8.handed", shortest * 1e-3, "µs", against, DispatchRow.roundTrip() / 2, 2);
    }

    private void exchanges(RankGroup own, Peer other, Peer each, int ranks) {
        for (Turn turn : TOKENS) {
            for (int hidden : HIDDEN) {
                FabricJob job = FabricJob.of(hidden, turn.tokens(), Payload.BF16);
                String name = exchange(ranks, turn, hidden);
                measure(name, () -> {
                    long needed = (long) (MARGIN * ranks * (job.bytes(ranks) + job.wireBytes()));
                    if (needed > MachineMemory.room(device).free()) {
                        progress.say("%s needs %.1f GB of free memory and is left out".formatted(name, needed * 1e-9));
                    } else {
                        exchange(own, other, each, name, job, turn, ranks);
                    }
                });
            }
        }
    }

    private void exchange(RankGroup own, Peer other, Peer each, String name, FabricJob job, Turn turn, int ranks) {
        double[] _ = own.ask(new RankCommand.Tokens(job, turn.before(), 1));
        RankCommand command = new RankCommand.Tokens(job, turn.warmUp(), turn.repeats());
        Turns turns = turns(
                () -> own.ask(command),
                () -> other.ask(command),
                () -> each.ask(command),
                () -> Optional.of(copies.nanos(job, ranks, Math.min(turn.warmUp(), COPIED_BEFORE), turn.repeats())));
        double tokens = 1e9 * ranks * job.tokens();
        String unit = "tokens/s";
        if (peer.isPresent()) {
            String against = peer.get().version() + " alltoallv";
            add(name + ".mpi", tokens / turns.own(), unit, against, tokens / turns.peer(), ranks);
            String perChoice = against + ", a token and a result for each choice";
            add(name + ".mpi_each", tokens / turns.own(), unit, perChoice, tokens / turns.each(), ranks);
        }
        add(name + ".copy", tokens / turns.own(), unit, CopyLimit.TEXT, tokens / turns.limit(), ranks);
        FabricJob eight = FabricJob.of(job.hidden(), job.tokens(), Payload.FP8);
        double[] nanos = own.ask(new RankCommand.Tokens(eight, turn.warmUp(), turn.repeats()));
        add(
                name + ".fp8",
                tokens / Repeats.median(nanos, nanos.length),
                unit,
                "dispatched as bf16",
                tokens / turns.own(),
                ranks);
    }

    private void sums(RankGroup own, int ranks) {
        double limit = copy.measure();
        double reduce = median(own.ask(new RankCommand.Reduce(SUM_BYTES, 2, SUM_REPEATS)));
        double gather = median(own.ask(new RankCommand.Gather(SUM_BYTES, 2, SUM_REPEATS)));
        double moved = (double) SUM_BYTES * ranks;
        add("reduce_scatter_r%d".formatted(ranks), moved / reduce, "GB/s", copy.text(), limit, ranks);
        add("all_gather_r%d".formatted(ranks), moved / gather, "GB/s", copy.text(), limit, ranks);
    }

    private void sockets(RankGroup own, String name, RankGroup shared) {
        Setup setup = new Setup(name, JAVA, "bytes", 2);
        for (Frame frame : FRAMES) {
            int trips = Math.max(10, frame.trips() / SLOWER);
            RankCommand command = new RankCommand.Latency(frame.bytes(), trips, BATCHES);
            Turns turns = turns(() -> own.ask(command), () -> Optional.of(shared.ask(command)));
            String row = "%s_one_way_%s".formatted(name, frame.name());
            rows.add(Row.of(row, turns.own() * 1e-3, "µs", "shared memory", turns.peer() * 1e-3, setup));
            if (frame.bytes() >= LARGE) {
                String rate = "%s_bandwidth_%s".formatted(name, frame.name());
                double against = frame.bytes() / turns.peer();
                rows.add(Row.of(rate, frame.bytes() / turns.own(), "GB/s", "shared memory", against, setup));
            }
        }
    }

    /// Medians, in nanoseconds.
    private record Turns(double own, double peer, double each, double limit) {}

    private static Turns turns(Supplier<double[]> own, Supplier<Optional<double[]>> peer) {
        return turns(own, peer, Optional::empty, Optional::empty);
    }

    private static Turns turns(
            Supplier<double[]> own,
            Supplier<Optional<double[]>> peer,
            Supplier<Optional<double[]>> each,
            Supplier<Optional<double[]>> limit) {
        List<double[]> owns = new ArrayList<>();
        List<double[]> peers = new ArrayList<>();
        List<double[]> eaches = new ArrayList<>();
        List<double[]> limits = new ArrayList<>();
        for (int round = 0; round < ROUNDS; round++) {
            owns.add(own.get());
            peer.get().ifPresent(peers::add);
            each.get().ifPresent(eaches::add);
            limit.get().ifPresent(limits::add);
        }
        return new Turns(median(owns), median(peers), median(eaches), median(limits));
    }

    private static double median(List<double[]> all) {
        return median(all.stream().flatMapToDouble(DoubleStream::of).toArray());
    }

    private static double median(double[] values) {
        return values.length == 0 ? Double.NaN : Repeats.median(values, values.length);
    }

    private void add(String name, double value, String unit, String against, double againstValue, int ranks) {
        rows.add(Row.of(name, value, unit, against, againstValue, new Setup("shared", instructionSet, "bf16", ranks)));
    }

    private static void delete(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.deleteIfExists(file);
            }
        } catch (IOException e) {
            throw BadInput.writing(folder, e);
        }
    }
}
