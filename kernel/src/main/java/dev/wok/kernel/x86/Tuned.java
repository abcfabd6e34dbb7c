package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.kernel.Processor;
import dev.wok.kernel.Tuning;
import dev.wok.kernel.host.UserCache;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.WeakHashMap;

/// The tilings that were found for a device: kept in a file, and in this process where that cannot be written.
public final class Tuned {
    private static final long NANOS = 2_000_000_000L;
    private static final Map<HostDevice, Tilings> UNWRITTEN = Collections.synchronizedMap(new WeakHashMap<>());

    private Tuned() {}

    private static TileFile file(HostDevice device, Processor processor, Isa isa, Path folder) {
        return new TileFile(folder, processor.name(), isa, device.workers().count());
    }

    static Optional<Tilings> of(HostDevice device, Processor processor) {
        return Tuning.off() ? Optional.empty() : of(device, processor, UserCache.folder());
    }

    static Optional<Tilings> of(HostDevice device, Processor processor, Path folder) {
        Optional<Tilings> unwritten = Optional.ofNullable(UNWRITTEN.get(device));
        return unwritten.or(() -> ProcessorX86.used(processor)
                .flatMap(isa -> file(device, processor, isa, folder).read() instanceof TileFile.Content.Found found
                        ? Optional.of(found.tilings())
                        : Optional.empty()));
    }

    /// Searches where nothing is kept.
    public static void ensure(HostDevice device, Processor processor, Progress progress) {
        ensure(device, processor, UserCache.folder(), NANOS, progress);
    }

    static void ensure(HostDevice device, Processor processor, Path folder, long nanos, Progress progress) {
        ProcessorX86.used(processor).ifPresent(isa -> {
            TileFile file = file(device, processor, isa, folder);
            switch (file.read()) {
                case TileFile.Content.Found _ -> {}
                case TileFile.Content.Absent _ -> search(device, file, nanos, progress);
                case TileFile.Content.Unusable(String reason) -> {
                    progress.say("%s %s; it is written anew.".formatted(file.path(), reason));
                    search(device, file, nanos, progress);
                }
            }
        });
    }

    /// Searches, whatever is kept.
    public static List<Tuning.Trial> search(HostDevice device, Processor processor, Progress progress) {
        return ProcessorX86.used(processor)
                .map(isa -> search(device, file(device, processor, isa, UserCache.folder()), NANOS, progress))
                .orElse(List.of());
    }

    private static List<Tuning.Trial> search(HostDevice device, TileFile file, long nanos, Progress progress) {
        TileSearch.Result result =
                TileSearch.run(file.isa(), device.workers().count(), file.processor(), nanos, progress);
        try {
            file.write(result.tilings());
            UNWRITTEN.remove(device);
        } catch (IOException e) {
            UNWRITTEN.put(device, result.tilings());
            progress.say(
                    "the tiles that were found serve this run only: %s could not be written.".formatted(file.path()));
        }
        return described(file.isa(), result);
    }

    private static List<Tuning.Trial> described(Isa isa, TileSearch.Result result) {
        List<Tuning.Trial> trials = new ArrayList<>();
        for (TileSearch.Trial trial : result.trials()) {
            Tilings.Key key = new Tilings.Key(trial.kind(), trial.product().size());
            trials.add(new Tuning.Trial(
                    trial.kind().name().toLowerCase(Locale.ROOT),
                    trial.product().text(),
                    trial.tiling().text(),
                    trial.gflops(),
                    trial.tiling().equals(Tilings.usual(isa)),
                    trial.tiling().equals(result.tilings().of(key))));
        }
        return List.copyOf(trials);
    }

    /// @return what the kernels of a device use, or nothing where they are not in machine code
    public static Optional<Tuning> describe(HostDevice device, Processor processor) {
        return ProcessorX86.used(processor).map(isa -> {
            Optional<Tilings> tuned = of(device, processor);
            Tilings used = tuned.orElse(Tilings.usualFor(isa));
            List<String> lines = used.table().entrySet().stream()
                    .map(e -> "%s %s".formatted(e.getKey().text(), e.getValue().text()))
                    .sorted()
                    .toList();
            return new Tuning(file(device, processor, isa, UserCache.folder()).path(), tuned.isPresent(), lines);
        });
    }
}
