package dev.wok.kernel.ptx;

import dev.wok.device.CudaException;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Gpu;
import dev.wok.device.GpuEvent;
import dev.wok.device.GpuFacts;
import dev.wok.device.GpuStream;
import dev.wok.kernel.Tuning;
import dev.wok.kernel.host.UserCache;
import java.io.IOException;
import java.io.Reader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Properties;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/// Which of several configurations of a kernel is used for a size: those that an estimate puts first are measured, and
/// the fastest is kept in a file, by GPU and driver.
///
/// Configurations of one kernel give the same bits, so it is of no consequence for results which one is found. Where
/// nothing can be measured, or `WOK_TUNE` is off, the estimate decides.
final class Search {
    /// Raised with every change to kernels or descriptions after which everything must be measured anew.
    private static final int FORMAT = 1;

    private static final int LARGEST = 1 << 20;

    /// `CUDA_ERROR_OUT_OF_MEMORY`.
    private static final int OUT_OF_MEMORY = 2;

    /// How many are measured.
    private static final int MOST = 6;

    /// Measures work.
    interface Timer {
        /// @return nanoseconds
        double nanos(Runnable work);
    }

    /// What was chosen.
    ///
    /// @param reason in words
    record Choice<C>(C configuration, String reason) {}

    private final @Nullable Timer timer;
    private final @Nullable Path file;
    private final Properties found = new Properties();
    private final Map<String, Choice<?>> made = new HashMap<>();

    /// @param timer null where nothing can be measured
    /// @param file where what was found is kept, null for nowhere
    Search(@Nullable Timer timer, @Nullable Path file) {
        this.timer = timer;
        this.file = file;
        read();
    }

    /// @return the search of a GPU
    static Search on(Gpu gpu) {
        if (gpu instanceof EmulatedGpu || Tuning.off()) {
            return new Search(null, null);
        }
        GpuFacts facts = gpu.facts();
        String name = "ptx-%s-cuda-%s-v%d.properties"
                .formatted(
                        UserCache.fileName(facts.name()),
                        UserCache.fileName(facts.driver().toString()),
                        FORMAT);
        return new Search(work -> nanos(gpu.stream(), work), UserCache.folder().resolve(name));
    }

    private static double nanos(GpuStream stream, Runnable work) {
        work.run();
        double best = Double.POSITIVE_INFINITY;
        for (int round = 0; round < 5; round++) {
            try (GpuEvent start = stream.record()) {
                work.run();
                work.run();
                try (GpuEvent end = stream.record()) {
                    best = Math.min(best, end.nanosSince(start) / 2.0);
                }
            }
        }
        return best;
    }

    private void read() {
        if (file == null || !Files.exists(file)) {
            return;
        }
        try {
            if (Files.size(file) <= LARGEST) {
                try (Reader reader = Files.newBufferedReader(file)) {
                    found.load(reader);
                }
            }
        } catch (IOException | IllegalArgumentException e) {
            found.clear();
        }
    }

    /// @param description of the work, in one line: what the choice depends on
    /// @param candidates one or more, each with a text of its own
    /// @param cost an estimate, to compare by
    /// @param trials gives what does the work once, with results that nobody needs; not called where nothing can be
    ///     measured
    <C> Choice<C> choose(
            String description,
            List<? extends C> candidates,
            ToDoubleFunction<? super C> cost,
            Supplier<Consumer<C>> trials) {
        @SuppressWarnings("unchecked")
        Choice<C> before = (Choice<C>) made.get(description);
        if (before != null) {
            return before;
        }
        Choice<C> choice = decide(description, candidates, cost, trials);
        made.put(description, choice);
        return choice;
    }

    private <C> Choice<C> decide(
            String description,
            List<? extends C> candidates,
            ToDoubleFunction<? super C> cost,
            Supplier<Consumer<C>> trials) {
        String known = found.getProperty(description);
        for (C candidate : candidates) {
            if (candidate.toString().equals(known)) {
                return new Choice<>(candidate, "was the fastest of those measured before (%s)".formatted(file));
            }
        }
        List<C> ordered = new ArrayList<>(candidates);
        ordered.sort(Comparator.comparingDouble(cost));
        if (ordered.size() == 1) {
            return new Choice<>(ordered.getFirst(), "is the only one that fits");
        }
        if (timer == null) {
            return new Choice<>(
                    ordered.getFirst(),
                    "has the lowest estimate of %d; nothing was measured".formatted(ordered.size()));
        }
        Consumer<C> trial;
        try {
            trial = trials.get();
        } catch (CudaException e) {
            if (e.code() != OUT_OF_MEMORY) {
                throw e;
            }
            return new Choice<>(
                    ordered.getFirst(),
                    "has the lowest estimate of %d; there was no memory to measure (%s)"
                            .formatted(ordered.size(), e.getMessage()));
        }
        int count = Math.min(MOST, ordered.size());
        C best = ordered.getFirst();
        double least = Double.POSITIVE_INFINITY;
        for (C candidate : ordered.subList(0, count)) {
            double nanos = timer.nanos(() -> trial.accept(candidate));
            if (nanos < least) {
                least = nanos;
                best = candidate;
            }
        }
        keep(description, best.toString());
        return new Choice<>(
                best,
                String.format(
                        Locale.ROOT,
                        "took %.1f microseconds, the fastest of %d measured, which had the lowest estimates of %d",
                        least / 1e3,
                        count,
                        ordered.size()));
    }

    /// A folder that cannot be written costs the next run a search.
    private void keep(String description, String configuration) {
        found.setProperty(description, configuration);
        if (file != null) {
            try {
                UserCache.write(file, found, "The fastest kernels that wok found; delete it to search again.");
            } catch (IOException e) {
                return;
            }
        }
    }
}
