package dev.wok.fabric;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;

/// When a layer's experts are laid anew, and which weights move for it. Moving costs time, so it has to be worth it.
///
/// @param eplb lays them
/// @param every so many steps it is considered
/// @param gain how much faster the slowest rank must become: 0.1 for a tenth
public record Replan(Eplb eplb, int every, double gain) {
    /// @throws IllegalArgumentException where `every` is below 1 or `gain` below 0
    public Replan {
        if (every < 1 || !(gain >= 0)) {
            throw new IllegalArgumentException(
                    "Replan: every %d steps for a gain of %s, expected 1 or more and 0 or more".formatted(every, gain));
        }
    }

    /// An expert's weights to a slot. All moves of a list read where experts lay before any of them.
    ///
    /// @param rank where they go
    /// @param slot of that rank
    /// @param from a rank that holds them: `rank` itself where it can
    public record Move(int rank, int slot, int expert, int from) {}

    /// @param step counted from 1
    /// @param current where experts lie, in as many slots per rank as `eplb` fills
    /// @param load `[experts]`: measured, and averaged over some steps ([MeasuredLoads])
    /// @return where they had better lie, with as little to move as ranks that are alike allow; nothing where
    ///     the time has not come or the gain is too small
    public Optional<Placement> next(long step, Placement current, double[] load) {
        requireSlots(current);
        if (step % every != 0) {
            return Optional.empty();
        }
        Placement planned = eplb.level(eplb.place(load), load);
        double possible = eplb.imbalance(planned, load);
        if (eplb.imbalance(current, load) < possible * (1 + gain)) {
            return Optional.empty();
        }
        Placement kept = keepSlots(current, keepRanks(current, planned));
        return moves(current, kept).isEmpty() ? Optional.empty() : Optional.of(kept);
    }

    /// @return what has to move, by rank and slot: from the same rank or machine where the expert lies there, and of
    ///     several ranks from the one that sends least
    public List<Move> moves(Placement from, Placement to) {
        requireSlots(from);
        requireSlots(to);
        int[] sends = new int[eplb.slots().length];
        List<Move> moves = new ArrayList<>();
        for (int rank = 0; rank < sends.length; rank++) {
            for (int slot = 0; slot < to.slots()[rank].length; slot++) {
                int expert = to.slots()[rank][slot];
                if (from.slots()[rank][slot] != expert) {
                    int source = source(from, rank, expert, sends);
                    sends[source] += source == rank ? 0 : 1;
                    moves.add(new Move(rank, slot, expert, source));
                }
            }
        }
        return moves;
    }

    private void requireSlots(Placement placement) {
        int[] slots =
                Arrays.stream(placement.slots()).mapToInt(rank -> rank.length).toArray();
        if (!Arrays.equals(slots, eplb.slots())) {
            throw new IllegalArgumentException("Replan: a placement with slots %s on its ranks, expected %s"
                    .formatted(Arrays.toString(slots), Arrays.toString(eplb.slots())));
        }
    }

    private int source(Placement from, int rank, int expert, int[] sends) {
        int[] machines = eplb.shape().machines();
        int best = -1;
        long bestCost = Long.MAX_VALUE;
        for (int other = 0; other < sends.length; other++) {
            long far = other == rank ? 0 : machines[other] == machines[rank] ? 1 : 2;
            long cost = (far << Integer.SIZE) + sends[other];
            if (cost < bestCost && count(from.slots()[other], expert) > 0) {
                best = other;
                bestCost = cost;
            }
        }
        return best;
    }

    /// Ranks that are alike, and machines that are, change roles so that most experts stay where they lie.
    private Placement keepRanks(Placement from, Placement to) {
        int[][] machines = eplb.machines();
        int[][][] roles = new int[machines.length][machines.length][];
        int[][] stay = new int[machines.length][machines.length];
        for (int machine = 0; machine < machines.length; machine++) {
            for (int role = 0; role < machines.length; role++) {
                int[] ranks = machines[machine];
                int[] itsRoles = machines[role];
                stay[machine][role] = Assignment.NEVER;
                if (ranks.length == itsRoles.length) {
                    int[][] same = overlaps(from, to, ranks, itsRoles);
                    roles[machine][role] = Assignment.best(same);
                    stay[machine][role] = Assignment.worth(same, roles[machine][role]);
                }
            }
        }
        int[] role = Assignment.best(stay);
        int[][] slots = new int[to.ranks()][];
        for (int machine = 0; machine < machines.length; machine++) {
            int[] itsRoles = roles[machine][role[machine]];
            for (int i = 0; i < itsRoles.length; i++) {
                slots[machines[machine][i]] = to.slots()[machines[role[machine]][itsRoles[i]]];
            }
        }
        return new Placement(to.experts(), slots);
    }

    /// @return `[ranks][roles]`: how many slots may stay as they are
    private int[][] overlaps(Placement from, Placement to, int[] ranks, int[] roles) {
        int[][] same = new int[ranks.length][roles.length];
        for (int i = 0; i < ranks.length; i++) {
            for (int j = 0; j < roles.length; j++) {
                boolean alike = eplb.slots()[ranks[i]] == eplb.slots()[roles[j]]
                        && eplb.speed()[ranks[i]] == eplb.speed()[roles[j]];
                same[i][j] = alike ? overlap(from.slots()[ranks[i]], to.slots()[roles[j]]) : Assignment.NEVER;
            }
        }
        return same;
    }

    private static int overlap(int[] a, int[] b) {
        return Arrays.stream(a)
                .distinct()
                .map(expert -> Math.min(count(a, expert), count(b, expert)))
                .sum();
    }

    /// What a rank keeps stays in its slot; the rest fills the others in order.
    private static Placement keepSlots(Placement from, Placement to) {
        int[][] slots = new int[to.ranks()][];
        for (int rank = 0; rank < slots.length; rank++) {
            int[] before = from.slots()[rank];
            List<Integer> coming =
                    new ArrayList<>(Arrays.stream(to.slots()[rank]).boxed().toList());
            boolean[] stays = new boolean[before.length];
            for (int slot = 0; slot < before.length; slot++) {
                stays[slot] = coming.remove((Integer) before[slot]);
            }
            slots[rank] = IntStream.range(0, before.length)
                    .map(slot -> stays[slot] ? before[slot] : coming.removeFirst())
                    .toArray();
        }
        return new Placement(to.experts(), slots);
    }

    private static int count(int[] slots, int expert) {
        return (int) Arrays.stream(slots).filter(e -> e == expert).count();
    }
}
