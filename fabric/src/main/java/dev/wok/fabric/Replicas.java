package dev.wok.fabric;

import java.util.Arrays;
import java.util.List;
import java.util.function.IntPredicate;
import java.util.stream.IntStream;

/// Which replica of an expert a token of one rank goes to: one on its own rank, else on its machine, else on any; of
/// several each in turn. Where every rank has as many tokens and every machine of an expert as many replicas, they get
/// as many tokens each.
final class Replicas {
    private final int rank;
    private final int[][] slots;

    private Replicas(int rank, int[][] slots) {
        this.rank = rank;
        this.slots = slots;
    }

    /// @param rank the tokens'
    static Replicas of(Placement placement, Shape shape, int rank) {
        if (placement.ranks() != shape.size()) {
            throw new IllegalArgumentException(
                    "a placement on %d ranks in a group of %d".formatted(placement.ranks(), shape.size()));
        }
        int[] first = placement.firstSlots();
        int[][] nearest = new int[placement.experts()][0];
        int[] machines = shape.machines();
        for (IntPredicate near : List.<IntPredicate>of(r -> r == rank, r -> machines[r] == machines[rank], _ -> true)) {
            int[][] found = slots(placement, first, near);
            Arrays.setAll(nearest, expert -> nearest[expert].length > 0 ? nearest[expert] : found[expert]);
        }
        return new Replicas(rank, nearest);
    }

    private static int[][] slots(Placement placement, int[] first, IntPredicate near) {
        IntStream.Builder[] found = new IntStream.Builder[placement.experts()];
        Arrays.setAll(found, _ -> IntStream.builder());
        for (int rank = 0; rank < placement.ranks(); rank++) {
            for (int slot = 0; near.test(rank) && slot < placement.slots()[rank].length; slot++) {
                found[placement.slots()[rank][slot]].add(first[rank] + slot);
            }
        }
        return Arrays.stream(found).map(slots -> slots.build().toArray()).toArray(int[][]::new);
    }

    /// @param token counted on its own rank
    /// @return the slot, counted through those of all ranks ([Placement#firstSlots])
    int slotFor(int expert, int token) {
        int[] of = slots[expert];
        // Ranks and experts begin at different replicas: else a batch of a token each would load the first ones.
        return of.length == 1 ? of[0] : of[Math.floorMod(token + rank + expert, of.length)];
    }
}
