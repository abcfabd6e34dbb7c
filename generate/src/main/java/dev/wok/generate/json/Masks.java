package dev.wok.generate.json;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/// Which tokens of a vocabulary may follow, with the answers of the last states kept. Thread safe.
final class Masks {
    private static final long KEPT_BYTES = 16L << 20;
    private static final int MOST_KEPT = 4096;

    private final Trie trie;

    /// Whether states may stand for each other: not where [Steps] forgets some of them.
    private final boolean shared;

    private final Map<Stack, long[]> kept;

    Masks(Trie trie, boolean shared) {
        this.trie = trie;
        this.shared = shared;
        long most = Math.clamp(KEPT_BYTES / (Long.BYTES * (trie.words() + 1L)), 64, MOST_KEPT);
        kept = new LinkedHashMap<>(64, 0.75f, true) {
            @Override
            protected boolean removeEldestEntry(Map.Entry<Stack, long[]> eldest) {
                return size() > most;
            }
        };
    }

    Trie trie() {
        return trie;
    }

    /// @return a bit for each id that may follow in any of the cases; not to be changed
    long[] of(Stack... stacks) {
        if (stacks.length == 1) {
            return of(stacks[0]);
        }
        long[] mask = new long[trie.words()];
        for (Stack stack : stacks) {
            long[] other = of(stack);
            Arrays.setAll(mask, i -> mask[i] | other[i]);
        }
        return mask;
    }

    private long[] of(Stack stack) {
        Stack key = shared ? stack.forMask(trie) : stack;
        long[] known;
        synchronized (kept) {
            known = kept.get(key);
        }
        if (known == null) {
            known = compute(key);
            synchronized (kept) {
                kept.put(key, known);
            }
        }
        return known;
    }

    private long[] compute(Stack stack) {
        return switch (stack.top()) {
            case StringFrame frame -> {
                long[] mask = trie.strings(frame.at(), true).within(frame.most());
                new Walk(trie, mask).quotes(frame, stack.below());
                yield mask;
            }
            case OtherNameFrame frame -> {
                long[] mask = trie.strings(frame.at(), false).within(StringFrame.MANY);
                new Walk(trie, mask).quotes(frame, stack.below());
                yield mask;
            }
            case ScalarFrame frame -> {
                long[] mask = new long[trie.words()];
                new Walk(trie, mask).scalar(frame, stack.below());
                yield mask;
            }
            default -> {
                long[] mask = new long[trie.words()];
                new Walk(trie, mask).all(stack);
                yield mask;
            }
        };
    }
}
