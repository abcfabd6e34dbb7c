package dev.wok.api;

import dev.wok.generate.Generator;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Collections;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.Iterator;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// What a model has read for its answers. The last finished ones are kept, so that the next turn of a
/// conversation reads only what is new.
///
/// Only a prompt that goes on from an answered prompt takes over what was read for it: others are read
/// from their beginning, so that an answer is the same, bit for bit, whatever was answered before or
/// beside it.
final class Caches {
    private static final int MOST = 2;
    private static final long MOST_BYTES = 1L << 30;

    private record Kept(Generator generator, int[] prompt) {
        boolean leadsTo(int[] longer) {
            return prompt.length < longer.length && Arrays.equals(prompt, 0, prompt.length, longer, 0, prompt.length);
        }
    }

    private final Supplier<Generator> fresh;
    private final Deque<Kept> kept = new ArrayDeque<>();
    private final Set<Generator> taken = Collections.newSetFromMap(new IdentityHashMap<>());

    Caches(Supplier<Generator> fresh) {
        this.fresh = fresh;
    }

    /// @return a generator for one answer
    synchronized Generator take(int[] prompt) {
        Generator generator = keptFor(prompt);
        if (generator == null) {
            while (kept.size() >= MOST) {
                kept.removeFirst().generator.close();
            }
            generator = fresh.get();
        }
        taken.add(generator);
        return generator;
    }

    private @Nullable Generator keptFor(int[] prompt) {
        Kept best = null;
        for (Kept candidate : kept) {
            if (candidate.leadsTo(prompt) && (best == null || best.prompt.length <= candidate.prompt.length)) {
                best = candidate;
            }
        }
        if (best == null) {
            return null;
        }
        kept.remove(best);
        return best.generator;
    }

    /// Takes back what an answer has read.
    synchronized void giveBack(Generator generator, int[] prompt) {
        if (!taken.remove(generator)) {
            return;
        }
        kept.addLast(new Kept(generator, prompt));
        Iterator<Kept> oldest = kept.iterator();
        while (kept.size() > MOST || bytes() > MOST_BYTES) {
            oldest.next().generator.close();
            oldest.remove();
        }
    }

    /// Takes back what shall not be used again.
    synchronized void discard(Generator generator) {
        if (taken.remove(generator)) {
            generator.close();
        }
    }

    private long bytes() {
        return kept.stream().mapToLong(k -> k.generator.bytes()).sum();
    }

    /// @return how many finished answers are kept
    synchronized int kept() {
        return kept.size();
    }

    /// Frees everything, what is in use included.
    synchronized void close() {
        kept.forEach(k -> k.generator.close());
        kept.clear();
        taken.forEach(Generator::close);
        taken.clear();
    }
}
