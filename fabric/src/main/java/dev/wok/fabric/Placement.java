package dev.wok.fabric;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Which rank holds which experts of a layer: a slot is room for one, an expert may have several (replicas).
///
/// @param experts logical ones; each has a slot at least
/// @param slots `[ranks][slots of the rank]`: the expert in each. A rank may have none
public record Placement(int experts, int[][] slots) {
    /// @throws IllegalArgumentException where a slot holds what is no expert, or an expert has no slot
    public Placement {
        if (slots.length == 0) {
            throw new IllegalArgumentException("Placement: no ranks, expected 1 or more");
        }
        slots = Arrays.stream(slots).map(int[]::clone).toArray(int[][]::new);
        int[] replicas = replicas(experts, slots);
        for (int expert = 0; expert < experts; expert++) {
            if (replicas[expert] == 0) {
                throw new IllegalArgumentException(
                        "Placement: expert %d of %d has no slot, expected one at least".formatted(expert, experts));
            }
        }
    }

    /// One slot for each expert, neighbours together; the first ranks have one more where they do not divide.
    public static Placement even(int experts, int ranks) {
        int[][] slots = new int[ranks][];
        for (int rank = 0, next = 0; rank < ranks; rank++) {
            slots[rank] = new int[experts / ranks + (rank < experts % ranks ? 1 : 0)];
            for (int slot = 0; slot < slots[rank].length; slot++) {
                slots[rank][slot] = next++;
            }
        }
        return new Placement(experts, slots);
    }

    /// As [#even(int, int)], with slots for more than one of each: those that are left over hold the
    /// experts once more from the first on.
    ///
    /// @param replicas slots beyond one for each expert
    public static Placement even(int experts, int ranks, int replicas) {
        int[][] slots = even(experts + replicas, ranks).slots;
        return new Placement(
                experts,
                Arrays.stream(slots)
                        .map(rank ->
                                Arrays.stream(rank).map(slot -> slot % experts).toArray())
                        .toArray(int[][]::new));
    }

    /// Room for an expert.
    ///
    /// @param slot of the rank
    public record Slot(int rank, int slot) {}

    /// @return the slots of an expert by rank, and of a rank from the first on. The first one counts
    ///     where one has to
    public List<Slot> slotsOf(int expert) {
        List<Slot> all = new ArrayList<>();
        for (int rank = 0; rank < slots.length; rank++) {
            for (int slot = 0; slot < slots[rank].length; slot++) {
                if (slots[rank][slot] == expert) {
                    all.add(new Slot(rank, slot));
                }
            }
        }
        return all;
    }

    /// @return `[experts]`: a rank that has each, of several the first
    public int[] rankOf() {
        int[] rankOf = new int[experts];
        for (int rank = slots.length - 1; rank >= 0; rank--) {
            for (int expert : slots[rank]) {
                rankOf[expert] = rank;
            }
        }
        return rankOf;
    }

    public int ranks() {
        return slots.length;
    }

    /// @return whether the other one has as many experts, and as many slots on each rank
    public boolean isAlike(Placement other) {
        return experts == other.experts
                && Arrays.equals(slots, other.slots, Comparator.comparingInt(rank -> rank.length));
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof Placement(int theirs, int[][] itsSlots)
                && experts == theirs
                && Arrays.deepEquals(slots, itsSlots);
    }

    @Override
    public int hashCode() {
        return Arrays.deepHashCode(slots);
    }

    /// @return `[ranks + 1]`: slots `first[r]` to `first[r + 1]` of all are those of rank `r`
    public int[] firstSlots() {
        int[] first = new int[slots.length + 1];
        for (int rank = 0; rank < slots.length; rank++) {
            first[rank + 1] = first[rank] + slots[rank].length;
        }
        return first;
    }

    /// @return `[experts]`: how many slots each has
    public int[] replicas() {
        return replicas(experts, slots);
    }

    /// What comes to each rank where an expert's tokens are dealt evenly to its replicas.
    ///
    /// @param load `[experts]`: tokens of each, or what is proportional to them
    /// @return `[ranks]`
    public double[] loads(double[] load) {
        requireLoads(load, experts);
        int[] replicas = replicas();
        double[] loads = new double[slots.length];
        for (int rank = 0; rank < slots.length; rank++) {
            for (int expert : slots[rank]) {
                loads[rank] += load[expert] / replicas[expert];
            }
        }
        return loads;
    }

    static void requireLoads(double[] load, int experts) {
        if (load.length != experts) {
            throw new IllegalArgumentException(
                    "loads of %d experts were given, the layer has %d".formatted(load.length, experts));
        }
        for (int expert = 0; expert < experts; expert++) {
            if (!(load[expert] >= 0 && load[expert] < Double.POSITIVE_INFINITY)) {
                throw new IllegalArgumentException(
                        "the load of expert %d is %s, expected 0 or more".formatted(expert, load[expert]));
            }
        }
    }

    private static int[] replicas(int experts, int[][] slots) {
        int[] replicas = new int[experts];
        for (int rank = 0; rank < slots.length; rank++) {
            for (int slot = 0; slot < slots[rank].length; slot++) {
                int expert = slots[rank][slot];
                if (expert < 0 || expert >= experts) {
                    throw new IllegalArgumentException("Placement: slot %d of rank %d holds expert %d of %d"
                            .formatted(slot, rank, expert, experts));
                }
                replicas[expert]++;
            }
        }
        return replicas;
    }
}
