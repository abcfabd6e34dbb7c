package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.Rng;
import dev.wok.testkit.Property;
import dev.wok.testkit.Thrown;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class EplbTest {
    private static final double[] FIRST = {90, 132, 40, 61, 104, 165, 39, 4, 73, 56, 183, 86};
    private static final double[] SECOND = {20, 107, 104, 64, 19, 197, 187, 157, 172, 86, 16, 27};

    /// The example of deepseek-ai/EPLB: 2 machines of 4 ranks, 16 slots, 4 groups.
    @Test
    void hierarchicalPlacementIsThatOfTheOriginal() {
        Eplb eplb = Eplb.alike(Shape.machines(2, 4), 2, 4);
        assertArrayEquals(
                new int[][] {{5, 6}, {5, 7}, {8, 4}, {3, 4}, {10, 9}, {10, 2}, {0, 1}, {11, 1}},
                eplb.place(FIRST).slots());
        assertArrayEquals(
                new int[][] {{7, 10}, {6, 8}, {6, 11}, {8, 9}, {2, 4}, {5, 1}, {5, 0}, {3, 1}},
                eplb.place(SECOND).slots());
    }

    @Test
    void ofSeveralMachinesAndNoGroupsAllSlotsAreOneRoom() {
        assertArrayEquals(
                Eplb.alike(Shape.oneMachine(8), 2, 1).place(FIRST).slots(),
                Eplb.alike(Shape.machines(2, 4), 2, 1).place(FIRST).slots());
        // Three groups do not divide among two machines.
        assertArrayEquals(
                Eplb.alike(Shape.oneMachine(8), 2, 1).place(FIRST).slots(),
                Eplb.alike(Shape.machines(2, 4), 2, 3).place(FIRST).slots());
    }

    @Test
    void tiesGoToTheLowestIndex() {
        assertArrayEquals(
                new int[][] {{0, 3}, {1, 0}, {2, 1}},
                Eplb.alike(Shape.oneMachine(3), 2, 1)
                        .place(new double[] {6, 6, 3, 3})
                        .slots());
        assertArrayEquals(
                new int[][] {{0}, {1}, {2}, {0}},
                Eplb.alike(Shape.oneMachine(4), 1, 1).place(new double[3]).slots());
    }

    @Test
    void everySlotIsFilledAndGroupsStayOnAMachine() {
        Property.of("Eplb.place")
                .size("machines", 1, 4)
                .size("ranks", 1, 4)
                .size("groupsEach", 1, 3)
                .size("groupSize", 1, 5)
                .size("spare", 0, 4)
                .flag("unequal")
                .cases(60)
                .check(c -> {
                    int machines = c.size("machines");
                    Shape shape = Shape.machines(machines, c.size("ranks"));
                    int groups = machines * c.size("groupsEach");
                    int experts = groups * c.size("groupSize");
                    int[] slots = new int[shape.size()];
                    double[] speed = new double[shape.size()];
                    Rng rng = c.rng("ranks");
                    Arrays.setAll(
                            slots,
                            rank -> Math.ceilDiv(experts, shape.size())
                                    + c.size("spare")
                                    + (c.flag("unequal") ? (int) (rng.uniform(rank) * 3) : 0));
                    Arrays.setAll(speed, rank -> c.flag("unequal") ? 1 + (int) (rng.uniform(100 + rank) * 4) : 2);
                    Eplb eplb = new Eplb(shape, slots, speed, groups);
                    double[] load = loads(c.rng("load"), experts);
                    Placement placed = eplb.place(load);
                    Placement level = eplb.level(placed, load);
                    for (int rank = 0; rank < slots.length; rank++) {
                        assertEquals(slots[rank], placed.slots()[rank].length);
                        assertEquals(slots[rank], level.slots()[rank].length);
                    }
                    assertTrue(eplb.imbalance(level, load) <= eplb.imbalance(placed, load));
                    assertEquals(machineOfGroups(placed, shape, c.size("groupSize")), groups);
                    assertEquals(machineOfGroups(level, shape, c.size("groupSize")), groups);
                });
    }

    /// @return pairs of a group and a machine that has some of it
    private static long machineOfGroups(Placement placement, Shape shape, int size) {
        return IntStream.range(0, placement.ranks())
                .boxed()
                .flatMap(rank -> Arrays.stream(placement.slots()[rank])
                        .mapToObj(expert -> expert / size * placement.ranks() + shape.machines()[rank]))
                .distinct()
                .count();
    }

    private static double[] loads(Rng rng, int experts) {
        double[] load = new double[experts];
        Arrays.setAll(load, expert -> Math.floor(1000 * Math.pow(rng.uniform(expert), 3)));
        return load;
    }

    @Test
    void isNeverWorseThanNeighboursTogether() {
        Property.of("Eplb.level")
                .size("ranks", 1, 9)
                .size("each", 1, 9)
                .size("spare", 0, 2)
                .cases(200)
                .check(c -> {
                    int experts = c.size("ranks") * c.size("each");
                    Eplb eplb = Eplb.alike(Shape.oneMachine(c.size("ranks")), c.size("each") + c.size("spare"), 1);
                    double[] load = loads(c.rng("load"), experts);
                    double even = eplb.imbalance(Placement.even(experts, c.size("ranks")), load);
                    double level = eplb.imbalance(eplb.level(eplb.place(load), load), load);
                    assertTrue(level <= even * (1 + 1e-12), () -> level + " > " + even);
                });
    }

    /// As many replicas as ranks, planned by 30 steps of a trained model and judged by them and the 10 that follow.
    @ParameterizedTest
    @CsvSource({"balanced, 2", "balanced, 4", "balanced, 8", "unbalanced, 2", "unbalanced, 4", "unbalanced, 8"})
    void onATrainedModelNoRankHasATenthMoreThanTheMean(String run, int ranks) {
        for (int layer = 0; layer < 2; layer++) {
            TrainedLoads loads = TrainedLoads.read(run, layer);
            Eplb eplb = Eplb.alike(Shape.oneMachine(ranks), (16 + ranks) / ranks, 1);
            Placement original = eplb.place(loads.known());
            for (Placement placement : List.of(original, eplb.level(original, loads.known()))) {
                for (double[] load : List.of(loads.known(), loads.later())) {
                    double imbalance = eplb.imbalance(placement, load);
                    assertTrue(imbalance <= 1.1, () -> "%s, %d ranks: %.3f".formatted(run, ranks, imbalance));
                }
            }
        }
    }

    @Test
    void doesNotDependOnTheUnitsOfLoadAndSpeed() {
        double[] twice = Arrays.stream(FIRST).map(load -> 8 * load).toArray();
        int[] slots = {3, 5, 2, 6};
        Eplb eplb = new Eplb(Shape.oneMachine(4), slots, new double[] {1, 3, 0.5, 2}, 1);
        Eplb faster = new Eplb(Shape.oneMachine(4), slots, new double[] {4, 12, 2, 8}, 1);
        assertArrayEquals(eplb.place(FIRST).slots(), eplb.place(twice).slots());
        assertArrayEquals(eplb.place(FIRST).slots(), faster.place(FIRST).slots());
    }

    /// Equal speeds of any size are the original's case.
    @Test
    void ranksOfEqualSpeedAreAlike() {
        double[] speed = new double[8];
        Arrays.fill(speed, 0.3);
        int[] slots = new int[8];
        Arrays.fill(slots, 2);
        assertArrayEquals(
                Eplb.alike(Shape.machines(2, 4), 2, 4).place(SECOND).slots(),
                new Eplb(Shape.machines(2, 4), slots, speed, 4).place(SECOND).slots());
    }

    @Test
    void aFasterDeviceGetsMore() {
        Eplb eplb = new Eplb(Shape.oneMachine(3), new int[] {8, 4, 4}, new double[] {4, 1, 1}, 1);
        Placement placement = eplb.level(eplb.place(FIRST), FIRST);
        double[] loads = placement.loads(FIRST);
        assertTrue(eplb.imbalance(placement, FIRST) < 1.1, () -> Arrays.toString(loads));
        assertTrue(loads[0] > 3.5 * loads[1] && loads[0] > 3.5 * loads[2], () -> Arrays.toString(loads));
    }

    /// A small fast memory and a large slow one: what is wanted most lies in the fast one.
    @Test
    void theFastTierHoldsWhatIsWantedMost() {
        Eplb tiers = new Eplb(Shape.oneMachine(2), new int[] {4, 8}, new double[] {100, 1}, 1);
        int[] fast = tiers.place(FIRST).slots()[0].clone();
        Arrays.sort(fast);
        assertArrayEquals(new int[] {1, 4, 5, 10}, fast);
    }

    @Test
    void refusesWhatCannotBePlaced() {
        Shape two = Shape.oneMachine(2);
        refuses(
                () -> Eplb.alike(two, 5, 1).place(FIRST),
                "Eplb: 10 slots on 2 ranks for 12 experts; give each rank more slots, or take more ranks");
        refuses(() -> Eplb.alike(two, 6, 5).place(FIRST), "Eplb: 12 experts in 5 groups, expected as many in each");
        refuses(() -> Eplb.alike(two, 6, 0), "Eplb: 0 groups, expected 1 or more");
        refuses(() -> Eplb.alike(two, -1, 1), "Eplb: rank 0 has -1 slots, expected 0 or more");
        refuses(
                () -> new Eplb(two, new int[] {1, 1}, new double[] {1, 0}, 1),
                "Eplb: the speed of rank 1 is 0.0, expected more than 0");
        refuses(
                () -> new Eplb(two, new int[] {1}, new double[] {1, 1}, 1),
                "Eplb: slots of 1 ranks and speeds of 2, expected 2 of each");
        refuses(
                () -> Eplb.alike(two, 1, 1).place(new double[] {1, -1}),
                "the load of expert 1 is -1.0, expected 0 or more");
    }

    private static void refuses(Thrown.Code code, String message) {
        assertEquals(message, Thrown.message(IllegalArgumentException.class, code));
    }
}
