package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.model.Batch;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/// What crosses between a leader and its followers comes back as it was, and garbage is refused.
class OrderLayoutTest {
    private static Stream<Order> orders() {
        Batch batch = new Batch(2, 2, new int[] {1, 2, 3, -4}, new int[4], new int[4], new int[] {0, 0, 2, 2});
        Batch alike = new Batch(1, 1, new int[1], new int[1], new int[1], new int[1], new int[] {0});
        return Stream.of(
                new Order.Begin(Map.of("sample_prompt", "a \u20ac b", "include", ""), Path.of("/a b/c"), true, -1, 7),
                new Order.Begin(Map.of(), null, false, 0, Integer.MIN_VALUE),
                new Order.Step(List.of(batch, alike), 1L << 40, 1e-300, -0.0),
                new Order.Step(List.of(), 0, Double.NaN, 0),
                new Order.Evaluate(batch),
                new Order.Read(Model.ReadKind.READ),
                new Order.Read(Model.ReadKind.DRAFT),
                new Order.Measure(),
                new Order.GiveModel(),
                new Order.GiveMoments(),
                new Order.Wait(),
                new Order.End(Order.Ending.FINISHED),
                new Order.End(Order.Ending.FAILED));
    }

    @ParameterizedTest
    @MethodSource("orders")
    void ordersComeBack(Order order) {
        byte[] bytes = OrderLayout.bytes(order);
        Order read = OrderLayout.order(bytes);
        assertEquals(order.getClass(), read.getClass());
        assertArrayEquals(bytes, OrderLayout.bytes(read));
    }

    @ParameterizedTest
    @MethodSource("orders")
    void aPartOfAnOrderIsNone(Order order) {
        byte[] bytes = OrderLayout.bytes(order);
        for (int length = 0; length < bytes.length; length++) {
            byte[] part = Arrays.copyOf(bytes, length);
            assertThrows(IllegalArgumentException.class, () -> OrderLayout.order(part));
        }
        assertTrue(refusal(Arrays.copyOf(bytes, bytes.length + 1)).contains("1 bytes after an order"));
    }

    private static String refusal(byte[] bytes) {
        return String.valueOf(assertThrows(IllegalArgumentException.class, () -> OrderLayout.order(bytes))
                .getMessage());
    }

    @Test
    void whatCannotBeIsRefused() {
        assertTrue(refusal(ints(2, 8)).contains("version 2, expected 1; start all ranks from the same Wok"));
        assertTrue(refusal(ints(1, 9)).contains("kind 9, which does not exist"));
        assertTrue(refusal(ints(1, -1)).contains("kind -1"));
        assertTrue(refusal(ints(1, 3, 2)).contains("a read of kind 2"));
        assertTrue(refusal(ints(1, 8, -1)).contains("an end of kind -1"));
        assertTrue(refusal(ints(1, 0, Integer.MAX_VALUE)).contains("2147483647 things"));
        assertTrue(refusal(ints(1, 1, 1, 1 << 16, 1 << 16)).contains("65536 sequences of 65536 tokens"));
        assertTrue(refusal(ints(1, 1, 1, -1, -1)).contains("-1 sequences"));
        assertTrue(refusal(ints(1, 2, 0)).contains("an evaluation of 0 batches"));
    }

    private static byte[] ints(int... values) {
        ByteBuffer bytes = ByteBuffer.allocate(values.length * Integer.BYTES);
        Arrays.stream(values).forEach(bytes::putInt);
        return bytes.array();
    }

    @Test
    void squaresComeBack() {
        List<double[]> lists = List.of(new double[] {1, Double.NaN}, new double[0], new double[] {-0.0});
        byte[] bytes = SquaresLayout.bytes(lists);
        double[][] read = SquaresLayout.lists(ByteBuffer.wrap(bytes), 3);
        for (int i = 0; i < read.length; i++) {
            assertArrayEquals(lists.get(i), read[i]);
        }
        for (int length = 0; length < bytes.length; length++) {
            byte[] part = Arrays.copyOf(bytes, length);
            assertThrows(IllegalArgumentException.class, () -> SquaresLayout.lists(ByteBuffer.wrap(part), 3));
        }
        assertTrue(squaresRefusal(bytes, 2).contains("12 bytes too many"));
        assertTrue(squaresRefusal(ints(1, -1), 1).contains("cut off"));
        assertTrue(squaresRefusal(ints(3), 0).contains("version 3, expected 1"));
    }

    private static String squaresRefusal(byte[] bytes, int lists) {
        return String.valueOf(
                assertThrows(IllegalArgumentException.class, () -> SquaresLayout.lists(ByteBuffer.wrap(bytes), lists))
                        .getMessage());
    }

    @Test
    void readinessComesBack() {
        for (Readiness readiness : List.of(
                Readiness.ready(),
                Readiness.not(new BadInput("there is no file \u00fc.")),
                Readiness.not(new OutOfMemoryError("heap")))) {
            assertEquals(readiness, Readiness.of(readiness.bytes()));
        }
        assertThrows(IllegalArgumentException.class, () -> Readiness.of(ints(1)));
        assertThrows(IllegalArgumentException.class, () -> Readiness.of(ints(1, 3)));
        assertThrows(IllegalArgumentException.class, () -> Readiness.of(ints(2, 0)));
    }

    /// Whole blocks, as equal as they can be.
    @Test
    void rangesAreBlocks() {
        int block = 1 << 15;
        assertArrayEquals(new long[] {0, block, 2 * block, 4 * block - 5}, SharedDescent.ranges(4 * block - 5, 3));
        assertArrayEquals(new long[] {0, 0, 0, 7}, SharedDescent.ranges(7, 3));
        assertArrayEquals(new long[] {0, 0}, SharedDescent.ranges(0, 1));
    }
}
