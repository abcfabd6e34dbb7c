package dev.wok.fabric;

import java.util.Arrays;

/// Finds where the tokens of one rank go.
final class Choosing {
    private final int experts;
    private final int topK;
    private final int[] firstSlots;
    private final int[] rankOf;
    private final Replicas replicas;

    Choosing(Exchange.Desc desc, Shape shape, int rank) {
        Placement placement = desc.placement();
        this.experts = placement.experts();
        this.topK = desc.topK();
        this.replicas = Replicas.of(placement, shape, rank);
        this.firstSlots = placement.firstSlots();
        this.rankOf = new int[firstSlots[placement.ranks()]];
        for (int other = 0; other < placement.ranks(); other++) {
            if (placement.slots()[other].length > RouteLayout.MOST_PLACES) {
                throw new IllegalArgumentException("%d slots on rank %d, at most %d can be told apart"
                        .formatted(placement.slots()[other].length, other, RouteLayout.MOST_PLACES));
            }
            Arrays.fill(rankOf, firstSlots[other], firstSlots[other + 1], other);
        }
    }

    /// @param chosen `[tokens * topK]`: each token's experts
    Choices of(int[] chosen) {
        int[] slots = slots(chosen);
        int ranks = firstSlots.length - 1;
        int[] tokens = new int[ranks];
        int[] choices = new int[ranks];
        each(slots, (rank, choice, first) -> {
            choices[rank]++;
            tokens[rank] += first ? 1 : 0;
        });
        int[][] tokensOf = new int[ranks][];
        int[][] choicesOf = new int[ranks][];
        Rows.Spread[] slotsOf = new Rows.Spread[ranks];
        for (int rank = 0; rank < ranks; rank++) {
            tokensOf[rank] = new int[tokens[rank]];
            choicesOf[rank] = new int[choices[rank]];
            slotsOf[rank] = new Rows.Spread(new int[tokens[rank] + 1], new int[choices[rank]]);
        }
        Arrays.fill(tokens, 0);
        Arrays.fill(choices, 0);
        each(slots, (rank, choice, first) -> {
            if (first) {
                tokensOf[rank][tokens[rank]++] = choice / topK;
            }
            choicesOf[rank][choices[rank]] = choice;
            slotsOf[rank].rows()[choices[rank]++] = slots[choice] - firstSlots[rank];
            slotsOf[rank].from()[tokens[rank]] = choices[rank];
        });
        return new Choices(chosen.length / topK, tokensOf, choicesOf, slotsOf);
    }

    /// @return `[tokens * topK]`: the slots, counted through those of all ranks
    private int[] slots(int[] chosen) {
        int[] slots = new int[chosen.length];
        for (int i = 0; i < chosen.length; i++) {
            if (chosen[i] < 0 || chosen[i] >= experts) {
                throw new IllegalArgumentException(
                        "expert %d was chosen, expected 0 to %d".formatted(chosen[i], experts - 1));
            }
            slots[i] = replicas.slotFor(chosen[i], i / topK);
        }
        return slots;
    }

    /// One choice of a token.
    @FunctionalInterface
    private interface Visit {
        /// @param first whether it is the token's first on this rank
        void choice(int rank, int choice, boolean first);
    }

    private void each(int[] slots, Visit visit) {
        int[] last = new int[firstSlots.length - 1];
        Arrays.fill(last, -1);
        for (int i = 0; i < slots.length; i++) {
            int rank = rankOf[slots[i]];
            visit.choice(rank, i, last[rank] != i / topK);
            last[rank] = i / topK;
        }
    }
}
