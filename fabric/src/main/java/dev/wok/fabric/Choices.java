package dev.wok.fabric;

import java.util.Arrays;

/// Where the tokens of one rank go, by rank.
///
/// @param tokens of the rank
/// @param ranks `[tokens * topK]`: where each choice is, choices in the order in which their rows are added up: by
///     token, and of a token by the part that their expert is of
/// @param terms `[tokens * topK]`: what becomes of their rows, see [Terms]
/// @param weights `[tokens * topK]`
/// @param tokensOf `[ranks][]`: those that go there, ascending
/// @param choicesOf `[ranks][]`: their choices that are there, `token * topK + choice`, in the same order
/// @param visits `[ranks]`: what is asked for there
record Choices(
        int tokens, int[] ranks, byte[] terms, float[] weights, int[][] tokensOf, int[][] choicesOf, Visits[] visits) {
    Visits to(int rank) {
        return visits[rank];
    }

    /// @param ranks of a machine, ascending
    /// @return the tokens that go to any of them, ascending
    int[] tokensTo(int[] ranks) {
        boolean[] go = new boolean[tokens];
        int count = 0;
        for (int rank : ranks) {
            for (int token : tokensOf[rank]) {
                count += go[token] ? 0 : 1;
                go[token] = true;
            }
        }
        int[] to = new int[count];
        for (int token = 0, next = 0; token < tokens; token++) {
            if (go[token]) {
                to[next++] = token;
            }
        }
        return to;
    }

    /// @param ranks of a machine, ascending
    /// @return of each token that goes to any of them to which, counted among them
    Lists across(int[] ranks) {
        int[] to = tokensTo(ranks);
        int[] from = new int[to.length + 1];
        int[] places =
                new int[Arrays.stream(ranks).map(rank -> tokensOf[rank].length).sum()];
        int[] next = new int[ranks.length];
        int count = 0;
        for (int i = 0; i < to.length; i++) {
            for (int place = 0; place < ranks.length; place++) {
                int[] there = tokensOf[ranks[place]];
                if (next[place] < there.length && there[next[place]] == to[i]) {
                    next[place]++;
                    places[count++] = place;
                }
            }
            from[i + 1] = count;
        }
        return new Lists(from, places);
    }
}
