package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RBX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;

/// Scores of rows of a cache, as they lie there, for a strip of queries: `scores[i, query] = row_i .
/// query`.
///
/// Arguments ([Arguments]): the first row, 32-bit words of a row (1 or more), the strip as groups of all
/// its queries one after another, scores (all queries' for each row), whole tiles of rows, what is
/// needed next.
///
/// @param vectors of the strip's queries
/// @param lastRows rows of a last, smaller tile, 0 for none
/// @param ahead how what is needed next lies
record StripScores(CacheRows rows, int vectors, int lastRows, Ahead ahead) {
    /// The queries of a strip.
    static final int STRIP = 16;
    /// Bytes of a strip's groups, or scores.
    static final int STRIP_BYTES = STRIP * Float.BYTES;

    private static final int UNROLL = 4;
    /// Rows so many bytes apart meet in two sets of lines.
    private static final int CROWDED = 2048;

    /// The rows of a tile: as many as registers hold sums for, or half as many where so many rows would
    /// share fewer lines of the first-level cache.
    static int tileRows(Isa isa, int vectors, int stride) {
        int most = isa.hasMasks() ? 16 : 12 / vectors;
        return most > 8 && stride % CROWDED == 0 ? most / 2 : most;
    }

    private int tileRows(Lanes l) {
        return tileRows(l.isa(), vectors, rows.stride());
    }

    /// So many with each unrolled step that as many rows are asked for as there are.
    private int linesAhead(Lanes l) {
        return (UNROLL * Float.BYTES * tileRows(l) + Ahead.LINE - 1) / Ahead.LINE;
    }

    /// Writes the code.
    void write(Lanes l) {
        l.x.push(RBX);
        l.arguments(RSI, RDX, RCX, R8, R9, R10);
        rows.begin(l);
        ahead.begin(l, RBX);
        Label remainder = l.x.label();
        l.x.test(R9, R9);
        l.x.jump(Condition.EQUAL, remainder);
        l.repeat(R9, () -> {
            tile(l, tileRows(l));
            l.x.add(RSI, tileRows(l) * rows.stride());
        });
        l.x.bind(remainder);
        if (lastRows > 0) {
            tile(l, lastRows);
        }
        l.x.pop(RBX);
        l.end();
    }

    private void tile(Lanes l, int count) {
        int sums = count * vectors;
        for (int i = 0; i < sums; i++) {
            l.zero(l.v(i));
        }
        l.x.mov(RAX, RSI);
        l.x.mov(R11, RCX);
        l.x.mov(RDX, l.argument(1));
        l.countDown(RDX, UNROLL, words -> {
            for (int word = 0; word < words; word++) {
                for (int group = 0; group < rows.groups(); group++) {
                    step(l, count, word, group);
                }
            }
            if (words == UNROLL) {
                ahead.ask(l, R10, RBX, linesAhead(l));
            }
            l.x.add(RAX, words * Float.BYTES);
            l.x.add(R11, words * rows.groups() * STRIP_BYTES);
        });
        for (int i = 0; i < sums; i++) {
            int at = i / vectors * STRIP_BYTES + i % vectors * l.isa().bytes();
            l.store(Mem.at(R8, at), l.v(i));
        }
        l.x.add(R8, count * STRIP_BYTES);
    }

    private void step(Lanes l, int count, int word, int group) {
        int queries = count * vectors;
        int at = (word * rows.groups() + group) * STRIP_BYTES;
        for (int v = 0; v < vectors; v++) {
            l.load(l.v(queries + v), Mem.at(R11, at + v * l.isa().bytes()));
        }
        for (int i = 0; i < count; i++) {
            Mem element = Mem.at(RAX, i * rows.stride() + word * Float.BYTES);
            rows.dots(l, i * vectors, queries, vectors, element, group, l.v(queries + vectors));
        }
    }
}
