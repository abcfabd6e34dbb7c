package dev.wok.fabric;

import java.util.Arrays;
import java.util.stream.IntStream;

/// Tokens that come to a rank, by the rank that they come from and then in their order there; and
/// their rows, by slot and then in the order of the tokens.
///
/// @param offsets see [Exchange.Route]
/// @param first `[ranks + 1]`: tokens `first[r]` to `first[r + 1]` come from rank `r`
/// @param visits `[ranks]`: what each rank asks for
/// @param rowsOf `[ranks][]`: the rows of these, in their order
/// @param rowToken `[rows]`: the token of each row
/// @param weights `[rows]`
record Arrivals(int[] offsets, int[] first, Visits[] visits, int[][] rowsOf, int[] rowToken, float[] weights) {
    /// @param visits `[ranks]`: what each rank asks for
    /// @param slots of this rank
    static Arrivals of(Visits[] visits, int slots) {
        int[] offsets = offsets(visits, slots);
        int[] first = new int[visits.length + 1];
        int[][] rowsOf = new int[visits.length][];
        int[] rowToken = new int[offsets[slots]];
        float[] weights = new float[offsets[slots]];
        int[] next = Arrays.copyOf(offsets, slots);
        for (int rank = 0; rank < visits.length; rank++) {
            Lists tokens = visits[rank].slots();
            int[] rows = new int[tokens.all().length];
            for (int token = 0; token < tokens.count(); token++) {
                for (int i = tokens.from()[token]; i < tokens.from()[token + 1]; i++) {
                    int row = next[tokens.all()[i]]++;
                    rows[i] = row;
                    rowToken[row] = first[rank] + token;
                    weights[row] = visits[rank].weights()[i];
                }
            }
            rowsOf[rank] = rows;
            first[rank + 1] = first[rank] + tokens.count();
        }
        return new Arrivals(offsets, first, visits, rowsOf, rowToken, weights);
    }

    private static int[] offsets(Visits[] visits, int slots) {
        int[] offsets = new int[slots + 1];
        for (Visits of : visits) {
            for (int slot : of.slots().all()) {
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
