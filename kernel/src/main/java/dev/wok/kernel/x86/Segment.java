package dev.wok.kernel.x86;

import java.util.ArrayList;
import java.util.List;

/// A run of tokens that looks at nothing outside itself: it begins where a token's keys begin with the token itself.
///
/// @param from the first token
/// @param keyStart of all tokens
record Segment(int from, int length, int[] keyStart) {
    static List<Segment> of(int[] keyStart) {
        List<Segment> segments = new ArrayList<>();
        int end = keyStart.length;
        for (int t = end - 1; t >= 0; t--) {
            if (keyStart[t] == t) {
                segments.add(new Segment(t, end - t, keyStart));
                end = t;
            }
        }
        return segments.reversed();
    }

    /// @param query within the segment, as keys are
    int firstKey(int query) {
        return keyStart[from + query] - from;
    }

    boolean sees(int query, int key) {
        return firstKey(query) <= key && key <= query;
    }
}
