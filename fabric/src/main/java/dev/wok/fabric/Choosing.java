package dev.wok.fabric;

import java.util.Arrays;

/// Finds where the tokens of one rank go.
final class Choosing {
    private final int experts;
    private final int topK;
    private final int ranks;
    private final int[] firstSlots;
    private final int[] rankOf;
    private final Replicas replicas;

    Choosing(Exchange.Desc desc, Shape shape, int rank) {
        Placement placement = desc.placement();
        this.experts = placement.experts();
        this.topK = desc.topK();
        this.replicas = Replicas.of(placement, shape, rank);
        this.ranks = placement.ranks();
        this.firstSlots = placement.firstSlots();
        this.rankOf = new int[firstSlots[ranks]];
        for (int other = 0; other < ranks; other++) {
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
        int[] rankOfChoice = new int[slots.length];
        boolean[] first = new boolean[slots.length];
        int[] tokens = new int[ranks];
        int[] choices = new int[ranks];
        int[] last = new int[ranks];
        Arrays.fill(last, -1);
        for (int i = 0, k = 0, token = 0; i < slots.length; i++) {
            int rank = rankOf[slots[i]];
            rankOfChoice[i] = rank;
            first[i] = last[rank] != token;
            last[rank] = token;
            choices[rank]++;
            tokens[rank] += first[i] ? 1 : 0;
            if (++k == topK) {
                k = 0;
                token++;
            }
        }
        return lists(slots, rankOfChoice, first, tokens, choices);
    }

    /// @param first whether a choice is its token's first on its rank
    /// @param tokens `[ranks]`, and `choices`: how many there are there
    private Choices lists(int[] slots, int[] rankOfChoice, boolean[] first, int[] tokens, int[] choices) {
        int[][] tokensOf = new int[ranks][];
        int[][] choicesOf = new int[ranks][];
        Lists[] slotsOf = new Lists[ranks];
        for (int rank = 0; rank < ranks; rank++) {
            tokensOf[rank] = new int[tokens[rank]];
            choicesOf[rank] = new int[choices[rank]];
            slotsOf[rank] = new Lists(new int[tokens[rank] + 1], new int[choices[rank]]);
        }
        int[] nextToken = new int[ranks];
        int[] nextChoice = new int[ranks];
        for (int i = 0; i < slots.length; i++) {
            int rank = rankOfChoice[i];
            if (first[i]) {
                tokensOf[rank][nextToken[rank]++] = i / topK;
            }
            choicesOf[rank][nextChoice[rank]] = i;
            slotsOf[rank].all()[nextChoice[rank]++] = slots[i] - firstSlots[rank];
            slotsOf[rank].from()[nextToken[rank]] = nextChoice[rank];
        }
        return new Choices(slots.length / topK, rankOfChoice, tokensOf, choicesOf, slotsOf);
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
}
