package dev.wok.kernel.x86;

import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// How products of one kind and size are cut. No choice changes a bit of any result.
///
/// @param rows of a tile
/// @param vectors of columns in a tile
/// @param blockRows rows that are packed at once, at most
/// @param tasksPerWorker into how many blocks a product is cut for each thread, about
record Tiling(int rows, int vectors, int blockRows, int tasksPerWorker) {
    /// As many as [Tile] has pointers for.
    static final int ROWS_MOST = 9;

    static final int BLOCK_ROWS_MOST = 256;
    static final int TASKS_MOST = 64;

    private static final Pattern TEXT = Pattern.compile("(\\d{1,3})x(\\d{1,3}) rows (\\d{1,3}) tasks (\\d{1,3})");

    Tiling {
        if (rows < 1
                || rows > ROWS_MOST
                || vectors < 1
                || blockRows < rows
                || blockRows > BLOCK_ROWS_MOST
                || tasksPerWorker < 1
                || tasksPerWorker > TASKS_MOST) {
            throw new IllegalArgumentException(
                    "no tiling: %dx%d rows %d tasks %d".formatted(rows, vectors, blockRows, tasksPerWorker));
        }
    }

    /// @return whether a tile's sums, a step's vectors and a repeated group have a register each
    boolean fits(Isa isa) {
        // The last register of AVX2 holds the tail's mask.
        int registers = isa.hasMasks() ? isa.registers() : isa.registers() - 1;
        return rows * vectors + vectors + 1 <= registers;
    }

    Tiling withTile(int rows, int vectors) {
        return new Tiling(rows, vectors, blockRows, tasksPerWorker);
    }

    /// @return the same with as many rows as fit beside tiles of this width
    Tiling wide(int vectors, Isa isa) {
        Tiling tiling = withTile(rows, vectors);
        while (!tiling.fits(isa)) {
            tiling = tiling.withTile(tiling.rows - 1, vectors);
        }
        return tiling;
    }

    Tiling withBlockRows(int most) {
        return new Tiling(rows, vectors, most, tasksPerWorker);
    }

    Tiling withTasks(int count) {
        return new Tiling(rows, vectors, blockRows, count);
    }

    /// @return what [#parse] reads
    String text() {
        return "%dx%d rows %d tasks %d".formatted(rows, vectors, blockRows, tasksPerWorker);
    }

    /// @throws IllegalArgumentException where it is none
    static Tiling parse(String text) {
        Matcher matcher = TEXT.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException("no tiling: " + text);
        }
        return new Tiling(number(matcher, 1), number(matcher, 2), number(matcher, 3), number(matcher, 4));
    }

    private static int number(Matcher matcher, int group) {
        return Integer.parseInt(matcher.group(group));
    }
}
