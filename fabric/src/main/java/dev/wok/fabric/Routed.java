package dev.wok.fabric;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Where tokens of this rank go, and which rows of it come from where.
///
/// @param owner the exchange that it belongs to
/// @param choices of this rank
/// @param offsets see [Exchange.Route]
/// @param arrivals `[ranks]`: of each token that comes from there its rows
/// @param across `[machines][]`: tokens of this rank that go there
/// @param passing what this rank takes for its machine, by source
record Routed(
        Exchange owner, Choices choices, int[] offsets, Rows.Spread[] arrivals, int[][] across, List<Passing> passing)
        implements Exchange.Route {
    /// Tokens of a rank of another machine.
    ///
    /// @param spread the rows that they have here: some none
    /// @param onward who else gets some
    record Passing(int source, Rows.Spread spread, List<Onward> onward) {}

    /// @param tokens counted among those that come, ascending
    record Onward(int rank, int[] tokens) {}

    /// Gives each slot of each token that comes its row: by slot, then by rank, then by token.
    ///
    /// @param arriving `[ranks]`: of each token that comes from there its slots
    /// @param offsets `[slots + 1]`, written
    /// @return `[ranks]`: of each token its rows
    static Rows.Spread[] rows(Rows.Spread[] arriving, int[] offsets) {
        for (Rows.Spread tokens : arriving) {
            for (int slot : tokens.rows()) {
                offsets[slot + 1]++;
            }
        }
        for (int slot = 1; slot < offsets.length; slot++) {
            offsets[slot] = Math.addExact(offsets[slot], offsets[slot - 1]);
        }
        int[] next = offsets.clone();
        Rows.Spread[] arrivals = new Rows.Spread[arriving.length];
        for (int rank = 0; rank < arriving.length; rank++) {
            int[] slots = arriving[rank].rows();
            int[] rows = new int[slots.length];
            for (int i = 0; i < rows.length; i++) {
                rows[i] = next[slots[i]]++;
            }
            arrivals[rank] = new Rows.Spread(arriving[rank].from(), rows);
        }
        return arrivals;
    }

    /// What is done with tokens of another machine's rank.
    ///
    /// @param here this machine's ranks
    /// @param own this rank
    /// @param places of each token the ranks that it goes to, counted among those here
    /// @param arrivals of each that comes to this rank its rows
    static Passing passing(Peer source, int[] here, int own, Rows.Spread places, Rows.Spread arrivals) {
        int[] from = new int[places.count() + 1];
        IntStream.Builder[] onward = new IntStream.Builder[here.length];
        Arrays.setAll(onward, _ -> IntStream.builder());
        int mine = 0;
        for (int token = 0; token < places.count(); token++) {
            for (int i = places.from()[token]; i < places.from()[token + 1]; i++) {
                if (here[places.rows()[i]] == own) {
                    mine++;
                } else {
                    onward[places.rows()[i]].add(token);
                }
            }
            if (mine > arrivals.count()) {
                break;
            }
            from[token + 1] = arrivals.from()[mine];
        }
        if (mine != arrivals.count()) {
            throw source.sends("%d tokens where its route says %d".formatted(mine, arrivals.count()));
        }
        List<Onward> others = new ArrayList<>();
        for (int place = 0; place < here.length; place++) {
            int[] tokens = onward[place].build().toArray();
            if (tokens.length > 0) {
                others.add(new Onward(here[place], tokens));
            }
        }
        return new Passing(source.rank(), new Rows.Spread(from, arrivals.rows()), others);
    }

    @Override
    public int tokens() {
        return choices.tokens();
    }

    @Override
    public int rows() {
        return offsets[offsets.length - 1];
    }
}
