package dev.wok.fabric;

import java.util.Arrays;
import java.util.stream.IntStream;

/// Tokens that come to a rank, by the rank that they come from and then in their order there; and
/// their rows, by slot and then in the order of the tokens.
///
/// @param offsets see [Exchange.Route]
/// @param first `[ranks + 1]`: tokens `first[r]` to `first[r + 1]` come from rank `r`
/// @param rowsOf `[ranks][]`: the rows of these, a token's in the order of its choices
/// @param rowToken `[rows]`: the token of each row
record Arrivals(int[] offsets, int[] first, int[][] rowsOf, int[] rowToken) {
    /// @param slotsOf `[ranks]`: of each token that comes from there its slots
    /// @param slots of this rank
    static Arrivals of(Lists[] slotsOf, int slots) {
        int[] offsets = offsets(slotsOf, slots);
        int[] first = new int[slotsOf.length + 1];
        int[][] rowsOf = new int[slotsOf.length][];
        int[] rowToken = new int[offsets[slots]];
        int[] next = Arrays.copyOf(offsets, slots);
        for (int rank = 0; rank < slotsOf.length; rank++) {
            Lists tokens = slotsOf[rank];
            int[] rows = new int[tokens.all().length];
            for (int token = 0; token < tokens.count(); token++) {
                for (int i = tokens.from()[token]; i < tokens.from()[token + 1]; i++) {
                    int row = next[tokens.all()[i]]++;
                    rows[i] = row;
                    rowToken[row] = first[rank] + token;
                }
            }
            rowsOf[rank] = rows;
            first[rank + 1] = first[rank] + tokens.count();
        }
        return new Arrivals(offsets, first, rowsOf, rowToken);
    }

    private static int[] offsets(Lists[] slotsOf, int slots) {
        int[] offsets = new int[slots + 1];
        for (Lists tokens : slotsOf) {
            for (int slot : tokens.all()) {
                offsets[slot + 1]++;
            }
        }
        for (int slot = 1; slot <= slots; slot++) {
            offsets[slot] = Math.addExact(offsets[slot], offsets[slot - 1]);
        }
        return offsets;
    }

    int count() {
        return first[first.length - 1];
    }

    /// @return the tokens that come from a rank
    int[] from(int rank) {
        return IntStream.range(first[rank], first[rank + 1]).toArray();
    }
}
