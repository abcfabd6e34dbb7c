package dev.wok.kernel.x86;

import static dev.wok.emit.Reg.R10;
import static dev.wok.emit.Reg.R11;
import static dev.wok.emit.Reg.R8;
import static dev.wok.emit.Reg.R9;
import static dev.wok.emit.Reg.RAX;
import static dev.wok.emit.Reg.RCX;
import static dev.wok.emit.Reg.RDX;
import static dev.wok.emit.Reg.RSI;

import dev.wok.emit.Condition;
import dev.wok.emit.Label;
import dev.wok.emit.Mem;
import dev.wok.emit.Reg;

/// Scores of rows of a cache, as they lie there, for a strip of queries: `scores[i, query] = row_i . query`.
///
/// Arguments ([Arguments]): the first row, groups of a row (1 or more), the strip as groups of all its queries one
/// after
/// another, scores (all queries' for each row), whole tiles of rows, what is needed next.
///
/// @param stride bytes between rows
/// @param lastRows rows of a last, smaller tile, 0 for none
record LatentScores(Tile.Kind kind, int stride, int lastRows) {
    /// The queries of a strip.
    static final int STRIP = 16;
    /// Bytes of a strip's groups, or scores.
    static final int STRIP_BYTES = STRIP * Float.BYTES;

    private static final int UNROLL = 4;
    private static final int LINE = 64;

    /// @return the rows of a tile
    static int tileRows(Isa isa) {
        return isa.hasMasks() ? 16 : 6;
    }

    /// The vectors of a strip.
    private static int vectors(Lanes l) {
        return STRIP / l.count();
    }

    /// So many with each unrolled step that as many rows are asked for as there are.
    private static int linesAhead(Lanes l) {
        return (UNROLL * Float.BYTES * tileRows(l.isa()) + LINE - 1) / LINE;
    }

    /// Asks for some lines of the memory that `at` points to, and moves it on.
    static void ask(Lanes l, Reg at, int lines) {
        for (int line = 0; line < lines; line++) {
            l.x.prefetch2(Mem.at(at, line * LINE));
        }
        l.x.add(at, lines * LINE);
    }

    /// Writes the code.
    void write(Lanes l) {
        l.arguments(RSI, RDX, RCX, R8, R9, R10);
        Label remainder = l.x.label();
        l.x.test(R9, R9);
        l.x.jump(Condition.EQUAL, remainder);
        l.repeat(R9, () -> {
            tile(l, tileRows(l.isa()));
            l.x.add(RSI, tileRows(l.isa()) * stride);
        });
        l.x.bind(remainder);
        if (lastRows > 0) {
            tile(l, lastRows);
        }
        l.end();
    }

    private void tile(Lanes l, int rows) {
        int sums = rows * vectors(l);
        for (int i = 0; i < sums; i++) {
            l.zero(l.v(i));
        }
        l.x.mov(RAX, RSI);
        l.x.mov(R11, RCX);
        l.x.mov(RDX, l.argument(1));
        l.countDown(RDX, UNROLL, groups -> {
            for (int g = 0; g < groups; g++) {
                step(l, rows, g);
            }
            if (groups == UNROLL) {
                ask(l, R10, linesAhead(l));
            }
            l.x.add(RAX, groups * Float.BYTES);
            l.x.add(R11, groups * STRIP_BYTES);
        });
        for (int i = 0; i < sums; i++) {
            l.store(Mem.at(R8, i * l.isa().bytes()), l.v(i));
        }
        l.x.add(R8, rows * STRIP_BYTES);
    }

    private void step(Lanes l, int rows, int g) {
        int vectors = vectors(l);
        int queries = rows * vectors;
        for (int v = 0; v < vectors; v++) {
            l.load(l.v(queries + v), Mem.at(R11, g * STRIP_BYTES + v * l.isa().bytes()));
        }
        for (int i = 0; i < rows; i++) {
            Mem group = Mem.at(RAX, i * stride + g * Float.BYTES);
            kind.dots(l, i * vectors, queries, vectors, group, l.v(queries + vectors));
        }
    }
}
