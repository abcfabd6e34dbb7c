package dev.wok.fabric;

import java.util.Arrays;

/// Which ranks of a group share a machine.
///
/// @param machines `[ranks]`: the machine of each rank, counted from 0 in the order of their first ranks
public record Shape(int[] machines) {
    /// All on one machine.
    public static Shape oneMachine(int ranks) {
        return new Shape(new int[ranks]);
    }

    /// As many ranks on each of some machines, neighbours together.
    public static Shape machines(int machines, int ranksEach) {
        int[] of = new int[machines * ranksEach];
        Arrays.setAll(of, rank -> rank / ranksEach);
        return new Shape(of);
    }

    /// @return how many ranks a rank's machine has, itself among them
    public int beside(int rank) {
        int count = 0;
        for (int machine : machines) {
            count += machine == machines[rank] ? 1 : 0;
        }
        return count;
    }

    /// @return how many ranks of a rank's machine come before it
    public int place(int rank) {
        int count = 0;
        for (int before = 0; before < rank; before++) {
            count += machines[before] == machines[rank] ? 1 : 0;
        }
        return count;
    }

    public int size() {
        return machines.length;
    }
}
