package dev.wok.fabric;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.fabric.Replan.Move;
import dev.wok.tensor.Rng;
import dev.wok.testkit.Property;
import dev.wok.testkit.Thrown;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class ReplanTest {
    private static final double[] LEVEL = {5, 5, 5, 5};
    private static final double[] HOT = {20, 4, 4, 4};

    @Test
    void plansOnlyWhenTheTimeHasComeAndTheGainIsWorthIt() {
        Replan replan = new Replan(Eplb.alike(Shape.oneMachine(2), 3, 1), 10, 0.1);
        Placement current = new Placement(4, new int[][] {{0, 1, 2}, {3, 1, 2}});
        assertEquals(Optional.empty(), replan.next(9, current, HOT));
        assertEquals(Optional.empty(), replan.next(10, current, LEVEL));
        Placement next = replan.next(20, current, HOT).orElseThrow();
        assertEquals(52 / 3.0, Arrays.stream(next.loads(HOT)).max().orElseThrow(), 1e-12);
        assertEquals(Optional.empty(), replan.next(30, next, HOT));
    }

    /// Machines change roles, ranks of a machine and slots of a rank: a plan that differs only so moves nothing.
    @Test
    void whatDiffersOnlyInRolesStays() {
        Property.of("Replan.roles")
                .size("machines", 1, 3)
                .size("ranks", 1, 4)
                .size("each", 1, 4)
                .check(c -> {
                    int machines = c.size("machines");
                    Shape shape = Shape.machines(machines, c.size("ranks"));
                    int experts = shape.size() * c.size("each");
                    Replan replan = new Replan(Eplb.alike(shape, c.size("each") + 1, machines), 1, 0);
                    double[] load = new double[experts];
                    Arrays.setAll(load, expert -> c.rng("load").uniform(expert));
                    int[][] slots =
                            replan.eplb().level(replan.eplb().place(load), load).slots();
                    int[][] turned = new int[slots.length][];
                    for (int rank = 0; rank < slots.length; rank++) {
                        int machine = (rank / c.size("ranks") + 1) % machines;
                        int[] from = slots[machine * c.size("ranks") + (rank + 1) % c.size("ranks")];
                        turned[rank] = IntStream.range(0, from.length)
                                .map(slot -> from[from.length - 1 - slot])
                                .toArray();
                    }
                    Placement current = new Placement(experts, turned);
                    assertEquals(Optional.empty(), replan.next(1, current, load));
                });
    }

    @Test
    void movesMakeTheNextPlacementOfTheOneBefore() {
        Property.of("Replan.moves")
                .size("machines", 1, 3)
                .size("ranks", 1, 4)
                .size("each", 1, 5)
                .check(c -> {
                    Shape shape = Shape.machines(c.size("machines"), c.size("ranks"));
                    int experts = shape.size() * c.size("each");
                    Replan replan = new Replan(Eplb.alike(shape, c.size("each") + 1, 1), 1, 0);
                    double[][] load = new double[2][experts];
                    for (int i = 0; i < 2; i++) {
                        Rng rng = c.rng("load" + i);
                        Arrays.setAll(load[i], rng::uniform);
                    }
                    Placement current = replan.eplb().place(load[0]);
                    Optional<Placement> next = replan.next(1, current, load[1]);
                    if (next.isEmpty()) {
                        return;
                    }
                    int[][] moved =
                            Arrays.stream(current.slots()).map(int[]::clone).toArray(int[][]::new);
                    List<Move> moves = replan.moves(current, next.orElseThrow());
                    for (Move move : moves) {
                        assertTrue(Arrays.stream(current.slots()[move.from()]).anyMatch(e -> e == move.expert()));
                        moved[move.rank()][move.slot()] = move.expert();
                    }
                    assertArrayEquals(next.orElseThrow().slots(), moved);
                    Placement asPlanned = replan.eplb().level(replan.eplb().place(load[1]), load[1]);
                    assertTrue(moves.size() <= replan.moves(current, asPlanned).size());
                    assertTrue(replan.eplb().imbalance(next.orElseThrow(), load[1])
                            <= replan.eplb().imbalance(current, load[1]));
                });
    }

    @Test
    void readsFromTheNearestRankThatSendsLeast() {
        Replan replan = new Replan(Eplb.alike(new Shape(new int[] {0, 0, 1, 1}), 2, 1), 1, 0);
        Placement from = new Placement(5, new int[][] {{0, 1}, {0, 2}, {0, 3}, {4, 0}});
        Placement to = new Placement(5, new int[][] {{1, 1}, {3, 2}, {4, 2}, {3, 0}});
        assertEquals(
                List.of(
                        new Move(0, 0, 1, 0),
                        new Move(1, 0, 3, 2),
                        new Move(2, 0, 4, 3),
                        new Move(2, 1, 2, 1),
                        new Move(3, 0, 3, 2)),
                replan.moves(from, to));
        assertEquals(
                List.of(2, 3),
                new Replan(Eplb.alike(new Shape(new int[] {0, 1, 2, 3}), 2, 1), 1, 0)
                                .moves(
                                        new Placement(5, new int[][] {{0, 0}, {1, 1}, {4, 2}, {4, 3}}),
                                        new Placement(5, new int[][] {{0, 4}, {1, 4}, {4, 2}, {4, 3}}))
                                .stream()
                                .map(Move::from)
                                .toList());
    }

    @Test
    void refusesOtherRanksAndSettings() {
        Replan replan = new Replan(Eplb.alike(Shape.oneMachine(2), 2, 1), 1, 0);
        assertEquals(
                "Replan: a placement with slots [3, 1] on its ranks, expected [2, 2]",
                Thrown.message(
                        IllegalArgumentException.class,
                        () -> replan.next(1, new Placement(4, new int[][] {{0, 1, 2}, {3}}), HOT)));
        assertEquals(
                "Replan: every 0 steps for a gain of 0.1, expected 1 or more and 0 or more",
                Thrown.message(IllegalArgumentException.class, () -> new Replan(replan.eplb(), 0, 0.1)));
    }

    @Test
    void assignmentIsTheBestOfAll() {
        Property.of("Assignment.best")
                .size("n", 1, 6)
                .size("most", 0, 9)
                .cases(60)
                .check(c -> {
                    int n = c.size("n");
                    int[][] worth = new int[n][n];
                    Rng rng = c.rng("worth");
                    for (int row = 0; row < n; row++) {
                        for (int column = 0; column < n; column++) {
                            double drawn = rng.uniform(row * n + column);
                            worth[row][column] = row != column && drawn < 0.2
                                    ? Assignment.NEVER
                                    : (int) (drawn * (c.size("most") + 1));
                        }
                    }
                    int[] columns = Assignment.best(worth);
                    assertEquals(n, Arrays.stream(columns).distinct().count());
                    assertEquals(best(worth, 0, 0), Assignment.worth(worth, columns));
                });
    }

    private static int best(int[][] worth, int row, int taken) {
        if (row == worth.length) {
            return 0;
        }
        return IntStream.range(0, worth.length)
                .filter(column -> (taken >> column & 1) == 0)
                .map(column ->
                        Math.max(Assignment.NEVER, worth[row][column] + best(worth, row + 1, taken | 1 << column)))
                .max()
                .orElseThrow();
    }

    @Test
    void whatWasMeasuredAHalfLifeAgoCountsHalf() {
        MeasuredLoads loads = MeasuredLoads.none(2);
        assertArrayEquals(new double[2], loads.average());
        loads = loads.with(new double[] {8, 0}, 2);
        assertArrayEquals(new double[] {8, 0}, loads.average());
        loads = loads.with(new double[] {0, 0}, 2).with(new double[] {0, 8}, 2);
        assertEquals(2, loads.average()[1] / loads.average()[0], 1e-12);
        MeasuredLoads known = loads;
        assertEquals(
                "a half-life of 0.0 steps, expected more than 0",
                Thrown.message(IllegalArgumentException.class, () -> known.with(new double[2], 0)));
        assertEquals(
                "loads of 3 experts were given, the layer has 2",
                Thrown.message(IllegalArgumentException.class, () -> known.with(new double[3], 2)));
    }
}
