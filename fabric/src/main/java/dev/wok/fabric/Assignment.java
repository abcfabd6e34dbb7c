package dev.wok.fabric;

import java.util.Arrays;

/// Rows to columns, one each, so that what the pairs are worth together is greatest (the Hungarian method, in the form
/// of shortest augmenting paths: Jonker and Volgenant 1987).
final class Assignment {
    /// The worth of a pair that may not be; there must be an assignment without.
    static final int NEVER = -(1 << 24);

    private Assignment() {}

    /// @param worth `[n][n]`
    /// @return `[n]`: the column of each row
    static int[] best(int[][] worth) {
        int n = worth.length;
        // Row and column n are where a path begins.
        long[] rowPrice = new long[n + 1];
        long[] columnPrice = new long[n + 1];
        int[] rowOf = new int[n + 1];
        Arrays.fill(rowOf, n);
        for (int row = 0; row < n; row++) {
            rowOf[n] = row;
            augment(worth, rowPrice, columnPrice, rowOf);
        }
        int[] columns = new int[n];
        for (int column = 0; column < n; column++) {
            columns[rowOf[column]] = column;
        }
        return columns;
    }

    private static void augment(int[][] worth, long[] rowPrice, long[] columnPrice, int[] rowOf) {
        int n = worth.length;
        long[] distance = new long[n];
        Arrays.fill(distance, Long.MAX_VALUE);
        int[] before = new int[n];
        boolean[] done = new boolean[n + 1];
        int column = n;
        while (rowOf[column] != n) {
            done[column] = true;
            int row = rowOf[column];
            int nearest = -1;
            for (int next = 0; next < n; next++) {
                if (done[next]) {
                    continue;
                }
                long cost = -worth[row][next] - rowPrice[row] - columnPrice[next];
                if (cost < distance[next]) {
                    distance[next] = cost;
                    before[next] = column;
                }
                if (nearest < 0 || distance[next] < distance[nearest]) {
                    nearest = next;
                }
            }
            long step = distance[nearest];
            for (int other = 0; other <= n; other++) {
                if (done[other]) {
                    rowPrice[rowOf[other]] += step;
                    columnPrice[other] -= step;
                } else {
                    distance[other] -= step;
                }
            }
            column = nearest;
        }
        while (column != n) {
            rowOf[column] = rowOf[before[column]];
            column = before[column];
        }
    }

    static int worth(int[][] worth, int[] columns) {
        int sum = 0;
        for (int row = 0; row < columns.length; row++) {
            sum = Math.max(Assignment.NEVER, sum + worth[row][columns[row]]);
        }
        return sum;
    }
}
