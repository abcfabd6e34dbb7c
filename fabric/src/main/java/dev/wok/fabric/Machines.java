package dev.wok.fabric;

import java.util.Arrays;
import java.util.stream.IntStream;

/// Who passes tokens on within a machine.
final class Machines {
    private final int[] of;
    private final int[][] ranks;

    Machines(Shape shape) {
        this.of = shape.machines();
        int count = IntStream.of(of).max().orElse(0) + 1;
        this.ranks = new int[count][];
        for (int machine = 0; machine < count; machine++) {
            int which = machine;
            ranks[machine] = IntStream.range(0, of.length)
                    .filter(rank -> of[rank] == which)
                    .toArray();
        }
    }

    int count() {
        return ranks.length;
    }

    int of(int rank) {
        return of[rank];
    }

    /// @return the ranks of a machine, ascending
    int[] ranks(int machine) {
        return ranks[machine];
    }

    /// @return the rank of another machine that takes what `source` sends there: the one with its place among those of
    ///     its machine, counted round where there are fewer
    int relay(int source, int machine) {
        int place = Arrays.binarySearch(ranks[of[source]], source);
        return ranks[machine][place % ranks[machine].length];
    }

    /// @return the other ranks of its machine
    int[] neighbours(int rank) {
        return IntStream.of(ranks[of[rank]]).filter(other -> other != rank).toArray();
    }

    /// @return the ranks of other machines
    int[] strangers(int rank) {
        return IntStream.range(0, of.length)
                .filter(other -> of[other] != of[rank])
                .toArray();
    }

    /// @return the strangers whose tokens this rank takes for its machine
    int[] sources(int rank) {
        return IntStream.of(strangers(rank))
                .filter(source -> relay(source, of[rank]) == rank)
                .toArray();
    }
}
