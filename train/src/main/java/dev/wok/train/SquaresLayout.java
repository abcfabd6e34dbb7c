package dev.wok.train;

import dev.wok.fabric.Departed;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;

/// Sums of squares as they travel: version, then for each list a count, both ints, and so many doubles; big-endian.
final class SquaresLayout {
    private static final int VERSION = 1;

    private SquaresLayout() {}

    static byte[] bytes(List<double[]> lists) {
        int doubles = lists.stream().mapToInt(list -> list.length).sum();
        ByteBuffer bytes = ByteBuffer.allocate((1 + lists.size()) * Integer.BYTES + doubles * Double.BYTES);
        bytes.putInt(VERSION);
        for (double[] list : lists) {
            bytes.putInt(list.length);
            Arrays.stream(list).forEach(bytes::putDouble);
        }
        return bytes.array();
    }

    /// @param count of lists
    /// @throws IllegalArgumentException where there are not so many, or more than that: it says what there is
    static double[][] lists(ByteBuffer bytes, int count) {
        requireLeft(bytes, Integer.BYTES);
        int version = bytes.getInt();
        if (version != VERSION) {
            throw new IllegalArgumentException("version %d, expected %d".formatted(version, VERSION));
        }
        double[][] lists = new double[count][];
        for (int i = 0; i < count; i++) {
            requireLeft(bytes, Integer.BYTES);
            int length = bytes.getInt();
            requireLeft(bytes, length < 0 ? Long.MAX_VALUE : (long) length * Double.BYTES);
            lists[i] = new double[length];
            for (int j = 0; j < length; j++) {
                lists[i][j] = bytes.getDouble();
            }
        }
        if (bytes.hasRemaining()) {
            throw new IllegalArgumentException("%d bytes too many".formatted(bytes.remaining()));
        }
        return lists;
    }

    /// @param rank who sent them
    /// @param count of lists
    /// @throws Departed where they are not so many lists
    static double[][] of(byte[] bytes, int rank, int count) {
        try {
            return lists(ByteBuffer.wrap(bytes), count);
        } catch (IllegalArgumentException e) {
            throw new Departed(rank, "rank %d sent no sums of squares: %s.".formatted(rank, e.getMessage()));
        }
    }

    private static void requireLeft(ByteBuffer bytes, long needed) {
        if (bytes.remaining() < needed) {
            throw new IllegalArgumentException("%d bytes that are cut off".formatted(bytes.capacity()));
        }
    }
}
