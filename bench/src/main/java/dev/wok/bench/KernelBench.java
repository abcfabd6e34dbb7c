package dev.wok.bench;

import dev.wok.bench.KernelRows.Maker;
import dev.wok.bench.KernelRows.Side;
import dev.wok.bench.KernelRun.Ceiling;
import dev.wok.bench.Loops.Kind;
import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.device.Memory;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Processor;
import dev.wok.kernel.Tuning;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.SequencedMap;
import java.util.Set;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Single kernels, each beside the limit that it works against.
final class KernelBench {
    private KernelBench() {}

    /// @param only the rows that are wanted, or none for all
    /// @param backend or null for the fastest
    static KernelRun run(List<String> only, int threads, @Nullable Backend backend, Sizes sizes, Progress progress) {
        try (HostDevice device = Device.host(threads)) {
            Processor processor = Processor.describe(device);
            Limits limits = Limits.of(device, processor, sizes.memoryBytes());
            Backend chosen = backend == null ? Kernels.fastest(device) : backend;
            Tuning.ensure(device, chosen, progress);
            Side floats = side(device, chosen, Precision.F32, processor);
            Side bf16 = side(device, chosen, Precision.BF16, processor);
            Side usual = Kernels.usual(device, chosen) == Precision.BF16 ? bf16 : floats;
            SequencedMap<String, Maker> makers = new KernelRows(floats, bf16, usual, limits, sizes).all();
            List<String> names = chosen(only, makers.sequencedKeySet(), threads);
            progress.say("%s: %s"
                    .formatted(processor.name(), usual.kernels().choice().reason()));
            List<Row> rows = new ArrayList<>();
            try (Progress.Task task = progress.start("measuring kernels", names.size(), "rows")) {
                for (String name : names) {
                    task.detail(name);
                    Maker maker = makers.get(name);
                    rows.add(
                            maker == null
                                    ? DispatchRow.measure(device.workers(), floats.setup(), sizes.seconds())
                                    : measure(name, maker, device, sizes.seconds()));
                    task.advance(1);
                }
            }
            double moved = Stream.of(Mix.READ, Mix.COPY, Mix.OPTIMIZE)
                    .mapToDouble(mix -> limits.memory(mix).best())
                    .max()
                    .orElseThrow();
            return new KernelRun(
                    processor.name(), List.copyOf(rows), limits.memory(Mix.READ).best(), moved, ceilings(limits));
        }
    }

    private static Row measure(String name, Maker maker, HostDevice device, double seconds) {
        try (Memory memory = device.memory()) {
            return maker.make(memory).measure(name, seconds);
        }
    }

    private static Side side(HostDevice device, Backend backend, Precision precision, Processor processor) {
        Kernels kernels = Kernels.on(device.stream(), backend, precision);
        return new Side(kernels, Setup.of(kernels, processor, device.workers().count()));
    }

    private static List<Ceiling> ceilings(Limits limits) {
        List<Ceiling> ceilings = new ArrayList<>();
        ceiling(limits, Kind.FLOATS, "float32", ceilings);
        ceiling(limits, Kind.BF16, "bf16", ceilings);
        ceiling(limits, Kind.BYTES, "int8", ceilings);
        return List.copyOf(ceilings);
    }

    private static void ceiling(Limits limits, Kind kind, String name, List<Ceiling> ceilings) {
        if (limits.has(kind)) {
            ceilings.add(new Ceiling(name, limits.products(kind).best()));
        }
    }

    private static List<String> chosen(List<String> only, Set<String> kernels, int threads) {
        Set<String> all = new LinkedHashSet<>(kernels);
        if (threads > 1) {
            all.add(DispatchRow.NAME);
        }
        for (String name : only) {
            if (!all.contains(name)) {
                throw new BadInput("--only %s: expected some of %s%s."
                        .formatted(
                                name,
                                String.join(", ", all),
                                name.equals(DispatchRow.NAME) ? " (dispatch needs two threads)" : ""));
            }
        }
        return all.stream()
                .filter(name -> only.isEmpty() || only.contains(name))
                .toList();
    }
}
