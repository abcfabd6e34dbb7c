package dev.wok.generate.json;

import java.nio.IntBuffer;
import java.util.Arrays;
import java.util.BitSet;
import java.util.HashMap;
import java.util.Map;

/// States that no token tells apart: a counter that is far from its bound makes no difference yet. States
/// are split into blocks by what a byte does, as often as a token has bytes (E. F. Moore, "Gedanken-
/// experiments on sequential machines", 1956).
final class Alike {
    private Alike() {}

    /// @param next by state and class of bytes, the next state or a negative number
    /// @return for each state the first of its block
    static int[] of(int[] next, int classes, BitSet accepting) {
        int[] blocks = new int[next.length / classes];
        Arrays.setAll(blocks, state -> accepting.get(state) ? 1 : 0);
        int count = 0;
        for (int bytes = 0; bytes < Trie.LONGEST; bytes++) {
            Map<IntBuffer, Integer> known = new HashMap<>();
            int[] finer = new int[blocks.length];
            for (int state = 0; state < blocks.length; state++) {
                int[] row = Arrays.copyOfRange(next, state * classes, (state + 1) * classes + 1);
                for (int c = 0; c < classes; c++) {
                    row[c] = row[c] < 0 ? row[c] : blocks[row[c]];
                }
                row[classes] = blocks[state];
                Integer block = known.putIfAbsent(IntBuffer.wrap(row), known.size());
                finer[state] = block == null ? known.size() - 1 : block;
            }
            blocks = finer;
            if (known.size() == count) {
                break;
            }
            count = known.size();
        }
        int[] firsts = new int[count];
        for (int state = blocks.length - 1; state >= 0; state--) {
            firsts[blocks[state]] = state;
        }
        int[] alike = new int[blocks.length];
        for (int state = 0; state < blocks.length; state++) {
            alike[state] = firsts[blocks[state]];
        }
        return alike;
    }
}
