package dev.wok.model;

import dev.wok.device.FilePages;
import dev.wok.kernel.Packed;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/// Experts that are mapped from disk because memory does not hold them all. The system keeps those that
/// are used often; what a token chooses beside them is asked for all at once, before it is computed
/// with, and what the next layer is likely to choose while this one computes.
final class ExpertReads {
    /// Guesses before their share is judged by.
    private static final long TRIAL = 512;

    /// Guesses that are wrong more often cost more reads than they save waiting.
    private static final double WORTHWHILE = 0.5;

    private static final int[] NONE = {};

    private long tokens;
    private long chosen;
    private long held;
    private long bytes;
    private long guessed;
    private long right;
    private final Map<Weights.Moe, int[]> guesses = new IdentityHashMap<>();

    /// Asks for experts that are computed with next, and counts them.
    ///
    /// @param choice `[tokens, topK]`, I32, on the host
    void need(Weights.Moe experts, Tensor choice) {
        int[] distinct = distinct(choice);
        int[] guess = guesses.getOrDefault(experts, NONE);
        guesses.remove(experts);
        for (int expert : distinct) {
            chosen++;
            long missing = missing(experts, expert);
            if (missing == 0) {
                held++;
            } else if (!contains(guess, expert)) {
                fetch(experts, expert, missing);
            }
        }
        for (int expert : guess) {
            guessed++;
            right += contains(distinct, expert) ? 1 : 0;
        }
    }

    /// @return whether guesses are right often enough
    boolean guesses() {
        return guessed < TRIAL || right > WORTHWHILE * guessed;
    }

    /// Asks for experts that the next layer is likely to choose.
    ///
    /// @param choice `[tokens, topK]`, I32, on the host
    void guess(Weights.Moe experts, Tensor choice) {
        int[] guess = distinct(choice);
        guesses.put(experts, guess);
        for (int expert : guess) {
            long missing = missing(experts, expert);
            if (missing > 0) {
                fetch(experts, expert, missing);
            }
        }
    }

    private void fetch(Weights.Moe experts, int expert, long missing) {
        bytes += missing;
        parts(experts, expert).forEach(FilePages::fetch);
    }

    private static long missing(Weights.Moe experts, int expert) {
        return parts(experts, expert).stream()
                .mapToLong(part -> part.byteSize() - FilePages.resident(part))
                .sum();
    }

    private static int[] distinct(Tensor choice) {
        return Arrays.stream(choice.toInts()).distinct().toArray();
    }

    private static boolean contains(int[] experts, int expert) {
        return Arrays.stream(experts).anyMatch(e -> e == expert);
    }

    private static List<MemorySegment> parts(Weights.Moe experts, int expert) {
        List<MemorySegment> parts = new ArrayList<>();
        for (Packed weight : List.of((Packed) experts.gateUp(), (Packed) experts.down())) {
            Packed own = weight.matrix(expert);
            parts.add(bytes(own.values()));
            if (own.element().isScaled()) {
                parts.add(bytes(own.scales()));
            }
        }
        return parts;
    }

    private static MemorySegment bytes(Tensor tensor) {
        return tensor.memory().asSlice(0, tensor.bytes());
    }

    void count(int newTokens) {
        tokens += newTokens;
    }

    Model.DiskReads total() {
        return new Model.DiskReads(tokens, chosen, held, bytes, guessed, right);
    }
}
