package dev.wok.fabric;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Where tokens of this rank go, and which come from where.
///
/// @param owner the exchange that it belongs to
/// @param choices of this rank
/// @param arrived at this rank
/// @param across `[machines][]`: tokens of this rank that go there
/// @param passing what this rank takes for its machine, by source
record Routed(Exchange owner, Choices choices, Arrivals arrived, int[][] across, List<Passing> passing)
        implements Exchange.Route {
    /// Tokens of a rank of another machine.
    ///
    /// @param tokens which of this rank's arrivals each is, or [Rows#NONE]
    /// @param onward who else gets some
    record Passing(int source, int[] tokens, List<Onward> onward) {}

    /// @param tokens counted among those that come, ascending
    record Onward(int rank, int[] tokens) {}

    /// What is done with tokens of another machine's rank.
    ///
    /// @param here this machine's ranks
    /// @param own this rank
    /// @param places of each token the ranks that it goes to, counted among those here
    /// @param arrived those that come to this rank
    static Passing passing(Peer source, int[] here, int own, Lists places, int[] arrived) {
        int[] tokens = new int[places.count()];
        Arrays.fill(tokens, Rows.NONE);
        IntStream.Builder[] onward = new IntStream.Builder[here.length];
        Arrays.setAll(onward, _ -> IntStream.builder());
        int mine = 0;
        for (int token = 0; token < places.count(); token++) {
            for (int i = places.from()[token]; i < places.from()[token + 1]; i++) {
                if (here[places.all()[i]] != own) {
                    onward[places.all()[i]].add(token);
                    continue;
                }
                if (mine < arrived.length) {
                    tokens[token] = arrived[mine];
                }
                mine++;
            }
        }
        if (mine != arrived.length) {
            throw source.sends("%d tokens where its route says %d".formatted(mine, arrived.length));
        }
        List<Onward> others = new ArrayList<>();
        for (int place = 0; place < here.length; place++) {
            int[] further = onward[place].build().toArray();
            if (further.length > 0) {
                others.add(new Onward(here[place], further));
            }
        }
        return new Passing(source.rank(), tokens, others);
    }

    @Override
    public int tokens() {
        return choices.tokens();
    }

    @Override
    public int rows() {
        return rowToken().length;
    }

    @Override
    public int arrivals() {
        return arrived.count();
    }

    @Override
    public int[] rowToken() {
        return arrived.rowToken();
    }

    @Override
    public float[] weights() {
        return arrived.weights();
    }

    @Override
    public int[] offsets() {
        return arrived.offsets();
    }
}
