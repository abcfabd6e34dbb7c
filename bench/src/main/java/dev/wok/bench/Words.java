package dev.wok.bench;

import dev.wok.tensor.Rng;
import java.util.concurrent.atomic.AtomicLong;

/// Prompts that nobody read before. For any number of threads.
final class Words {
    private static final int LETTERS = 26;
    private static final int WORD = 5;

    private final Rng rng;
    private final AtomicLong drawn = new AtomicLong();

    Words(Rng rng) {
        this.rng = rng;
    }

    /// @return letters and spaces
    String next(int length) {
        StringBuilder text = new StringBuilder(length);
        for (int i = 0; i < length; i++) {
            text.append(i % (WORD + 1) == WORD ? ' ' : (char) ('a' + below(LETTERS)));
        }
        return text.toString();
    }

    /// @return from 0 to `bound - 1`
    int below(int bound) {
        return rng.below(drawn.getAndIncrement(), bound);
    }
}
