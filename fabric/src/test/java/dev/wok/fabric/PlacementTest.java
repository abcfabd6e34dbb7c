package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.testkit.Thrown;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PlacementTest {
    private static final Placement REPLICATED = new Placement(4, new int[][] {{0, 1}, {2, 0}, {}, {3, 2, 2}});

    @Test
    void evenPlacementGivesTheFirstRanksOneMore() {
        assertArrayEquals(
                new int[][] {{0, 1, 2}, {3, 4}, {5, 6}}, Placement.even(7, 3).slots());
        assertArrayEquals(new int[][] {{0}, {1}, {}}, Placement.even(2, 3).slots());
    }

    @Test
    void slotsThatAreLeftOverHoldTheFirstExpertsAgain() {
        assertArrayEquals(
                new int[][] {{0, 1, 2}, {0, 1}}, Placement.even(3, 2, 2).slots());
        assertEquals(Placement.even(7, 3), Placement.even(7, 3, 0));
    }

    @Test
    void knowsTheSlotsOfAnExpertInOrder() {
        assertEquals(List.of(new Placement.Slot(0, 0), new Placement.Slot(1, 1)), REPLICATED.slotsOf(0));
        assertEquals(
                List.of(new Placement.Slot(1, 0), new Placement.Slot(3, 1), new Placement.Slot(3, 2)),
                REPLICATED.slotsOf(2));
    }

    @Test
    void isAlikeWhereRanksHaveAsManySlots() {
        Placement one = new Placement(3, new int[][] {{0, 1}, {2}});
        Placement other = new Placement(3, new int[][] {{2, 1}, {0}});
        assertTrue(one.isAlike(other));
        assertNotEquals(one, other);
        assertFalse(one.isAlike(new Placement(3, new int[][] {{0}, {1, 2}})));
        assertFalse(one.isAlike(new Placement(2, new int[][] {{0, 1}, {0}})));
        assertFalse(one.isAlike(new Placement(3, new int[][] {{0, 1}, {2}, {}})));
        assertEquals(one, new Placement(3, new int[][] {{0, 1}, {2}}));
    }

    @Test
    void countsReplicasSlotsAndLoads() {
        assertArrayEquals(new int[] {2, 1, 3, 1}, REPLICATED.replicas());
        assertArrayEquals(new int[] {0, 2, 4, 4, 7}, REPLICATED.firstSlots());
        assertArrayEquals(new double[] {1 + 3, 4 + 1, 0, 5 + 8}, REPLICATED.loads(new double[] {2, 3, 12, 5}));
    }

    @Test
    void isNotChangedThroughWhatItWasMadeOf() {
        int[][] slots = {{0}, {1}};
        Placement placement = new Placement(2, slots);
        slots[0][0] = 1;
        assertArrayEquals(new int[][] {{0}, {1}}, placement.slots());
    }

    @Test
    void refusesWhatIsNoPlacement() {
        refuses(() -> new Placement(2, new int[][] {{0, 1}, {2}}), "Placement: slot 0 of rank 1 holds expert 2 of 2");
        refuses(() -> new Placement(2, new int[][] {{0, -1}}), "Placement: slot 1 of rank 0 holds expert -1 of 2");
        refuses(
                () -> new Placement(3, new int[][] {{0}, {2, 0}}),
                "Placement: expert 1 of 3 has no slot, expected one at least");
        refuses(() -> new Placement(0, new int[0][]), "Placement: no ranks, expected 1 or more");
        refuses(() -> REPLICATED.loads(new double[3]), "loads of 3 experts were given, the layer has 4");
        refuses(
                () -> REPLICATED.loads(new double[] {0, 1, Double.NaN, 2}),
                "the load of expert 2 is NaN, expected 0 or more");
        refuses(() -> Replicas.of(REPLICATED, Shape.oneMachine(3), 0), "a placement on 4 ranks in a group of 3");
    }

    private static void refuses(Thrown.Code code, String message) {
        assertEquals(message, Thrown.message(IllegalArgumentException.class, code));
    }

    @Test
    void tokensGoToTheNearestReplica() {
        Placement placement = new Placement(3, new int[][] {{0, 1}, {0, 2}, {1, 1}, {2, 0}});
        Shape shape = new Shape(new int[] {0, 0, 1, 1});
        // Slots are 0 1 | 2 3 | 4 5 | 6 7.
        assertSlots(placement, shape, 0, 0, 0, 0, 0, 0);
        assertSlots(placement, shape, 0, 1, 1, 1, 1, 1);
        assertSlots(placement, shape, 0, 2, 3, 3, 3, 3);
        assertSlots(placement, shape, 1, 1, 1, 1, 1, 1);
        // Two on its own rank take turns.
        assertSlots(placement, shape, 2, 1, 5, 4, 5, 4);
        assertSlots(placement, shape, 2, 0, 7, 7, 7, 7);
        // Three, none of which is near; ranks and experts begin at different ones.
        Placement far = new Placement(2, new int[][] {{}, {0, 1}, {0, 1}, {0, 1}});
        assertSlots(far, new Shape(new int[] {0, 1, 2, 3}), 0, 0, 0, 2, 4, 0);
        assertSlots(far, new Shape(new int[] {0, 1, 2, 3}), 0, 1, 3, 5, 1, 3);
    }

    private static void assertSlots(Placement placement, Shape shape, int rank, int expert, int... slots) {
        Replicas replicas = Replicas.of(placement, shape, rank);
        int[] chosen = IntStream.range(0, slots.length)
                .map(token -> replicas.slotFor(expert, token))
                .toArray();
        assertArrayEquals(slots, chosen);
    }

    /// As many tokens on every rank: the near ones and those in turn together load replicas alike, as planned.
    @Test
    void replicasGetAsManyTokensEach() {
        Placement placement = new Placement(2, new int[][] {{0, 1}, {0}, {1}, {0}, {1}, {}});
        int[] tokens = new int[7];
        for (int rank = 0; rank < 6; rank++) {
            Replicas replicas = Replicas.of(placement, Shape.oneMachine(6), rank);
            for (int token = 0; token < 300; token++) {
                tokens[replicas.slotFor(0, token)]++;
                tokens[replicas.slotFor(1, token)]++;
            }
        }
        assertArrayEquals(new int[] {600, 600, 600, 600, 600, 600, 0}, tokens);
    }
}
