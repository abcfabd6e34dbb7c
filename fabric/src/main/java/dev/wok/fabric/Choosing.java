package dev.wok.fabric;

import java.util.Arrays;

/// Finds where the tokens of one rank go.
final class Choosing {
    private final int experts;
    private final int topK;
    private final int ranks;
    private final int parts;
    private final int[] partOf;
    private final int[] firstSlots;
    private final int[] rankOf;
    private final Replicas replicas;

    Choosing(Exchange.Desc desc, Shape shape, int rank) {
        Placement placement = desc.placement();
        this.experts = placement.experts();
        this.topK = desc.topK();
        this.replicas = Replicas.of(placement, shape, rank);
        this.ranks = placement.ranks();
        this.parts = desc.parts();
        this.partOf = Placement.even(experts, parts).rankOf();
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
    /// @param weights `[tokens * topK]`
    Choices of(int[] chosen, float[] weights) {
        int[] slots = slots(chosen);
        int[] order = order(chosen);
        int[] rankOfChoice = new int[slots.length];
        boolean[] first = new boolean[slots.length];
        int[] tokens = new int[ranks];
        int[] choices = new int[ranks];
        int[] last = new int[ranks];
        Arrays.fill(last, -1);
        for (int i = 0, k = 0, token = 0; i < slots.length; i++) {
            int rank = rankOf[slots[order[i]]];
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
        byte[] terms = terms(chosen, order, rankOfChoice);
        float[] ordered = new float[weights.length];
        for (int i = 0; i < ordered.length; i++) {
            ordered[i] = weights[order[i]];
        }
        return lists(slots, order, rankOfChoice, terms, ordered, first, tokens, choices);
    }

    /// @return each token's choices by the part that their expert is of, and of a part as they were chosen
    private int[] order(int[] chosen) {
        int[] order = new int[chosen.length];
        for (int i = 0; i < order.length; i++) {
            order[i] = i;
        }
        for (int begin = 0; parts > 1 && begin < order.length; begin += topK) {
            for (int i = begin + 1; i < begin + topK; i++) {
                int choice = order[i];
                int to = i;
                while (to > begin && partOf[chosen[order[to - 1]]] > partOf[chosen[choice]]) {
                    order[to] = order[to - 1];
                    to--;
                }
                order[to] = choice;
            }
        }
        return order;
    }

    /// @param rankOfChoice in order
    private byte[] terms(int[] chosen, int[] order, int[] rankOfChoice) {
        byte[] terms = new byte[order.length];
        for (int begin = 0; begin < order.length; begin += topK) {
            for (int i = begin, next; i < begin + topK; i = next) {
                boolean together = parts > 1;
                for (next = i + 1; next < begin + topK && isSamePart(chosen, order[i], order[next]); next++) {
                    together &= rankOfChoice[next] == rankOfChoice[i];
                }
                terms[i] = together ? Terms.BEGINS : Terms.ALONE;
                Arrays.fill(terms, i + 1, next, together ? Terms.JOINS : Terms.ALONE_TOO);
            }
        }
        return terms;
    }

    private boolean isSamePart(int[] chosen, int one, int other) {
        return partOf[chosen[one]] == partOf[chosen[other]];
    }

    /// @param order and all that follow it, but for the last two, by choice in this order
    /// @param first whether a choice is its token's first on its rank
    /// @param tokens `[ranks]`, and `choices`: how many there are there
    private Choices lists(
            int[] slots,
            int[] order,
            int[] rankOfChoice,
            byte[] terms,
            float[] weights,
            boolean[] first,
            int[] tokens,
            int[] choices) {
        int[][] tokensOf = new int[ranks][];
        int[][] choicesOf = new int[ranks][];
        Visits[] visits = new Visits[ranks];
        for (int rank = 0; rank < ranks; rank++) {
            tokensOf[rank] = new int[tokens[rank]];
            choicesOf[rank] = new int[choices[rank]];
            visits[rank] = new Visits(
                    new Lists(new int[tokens[rank] + 1], new int[choices[rank]]),
                    new byte[choices[rank]],
                    new float[choices[rank]]);
        }
        int[] nextToken = new int[ranks];
        int[] nextChoice = new int[ranks];
        for (int i = 0; i < slots.length; i++) {
            int rank = rankOfChoice[i];
            if (first[i]) {
                tokensOf[rank][nextToken[rank]++] = i / topK;
            }
            int next = nextChoice[rank]++;
            Visits there = visits[rank];
            choicesOf[rank][next] = order[i];
            there.slots().all()[next] = slots[order[i]] - firstSlots[rank];
            there.slots().from()[nextToken[rank]] = next + 1;
            there.terms()[next] = terms[i];
            there.weights()[next] = weights[i];
        }
        return new Choices(slots.length / topK, rankOfChoice, terms, weights, tokensOf, choicesOf, visits);
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
