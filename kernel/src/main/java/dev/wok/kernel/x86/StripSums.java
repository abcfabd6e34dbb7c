package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Mask.K1;
import static dev.wok.emit.x86.Op.VINSERTF64X4;
import static dev.wok.emit.x86.Op.VMOVDQU16;
import static dev.wok.emit.x86.Op.VMOVUPS;
import static dev.wok.emit.x86.Op.VPERMW;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RBP;
import static dev.wok.emit.x86.Reg.RBX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Vec;
import java.util.function.BiConsumer;

/// Weighted sums of rows of a cache, as they lie there, for some queries of a strip: `sums[i] = sum_j weights[j, i]
/// row_j`.
///
/// Arguments ([Arguments]): the first row, how many rows (1 or more; even where others follow), weights as groups of
/// the whole strip one after
/// another (from the first query that is computed; beside the weight of a last single row stands a zero), sums, bytes
/// between them, whole blocks of columns, what is needed next.
///
/// @param queries how many sums
/// @param lastColumns columns behind the whole blocks; of the sums whole vectors are written
/// @param ahead how what is needed next lies
/// @param lines of it that are asked for with each unrolled step
/// @param accumulate whether the sums go on from those of rows before
record StripSums(CacheRows rows, int queries, int lastColumns, Ahead ahead, int lines, boolean accumulate) {
    private static final int UNROLL = 4;

    /// @return the lines to ask for with each unrolled step, such that as many bytes are asked for as are read
    static int linesAhead(Isa isa, CacheRows rows, int queries) {
        int read = UNROLL * rows.kind().perGroup() * blockColumns(isa) * rows.elementBytes();
        int passes = (queries + together(isa) - 1) / together(isa);
        return (read + passes * Ahead.LINE - 1) / (passes * Ahead.LINE);
    }

    /// @return the columns of a block
    static int blockColumns(Isa isa) {
        return blockVectors(isa) * isa.lanes();
    }

    private static int blockVectors(Isa isa) {
        return isa.hasMasks() ? 1 : 2;
    }

    /// How many sums are computed together.
    private static int together(Isa isa) {
        return isa.hasMasks() ? 16 : 6;
    }

    private boolean inPairs() {
        return rows.kind() == Tile.Kind.BF16;
    }

    /// Writes the code.
    void write(Lanes l) {
        l.x.push(RBX);
        l.x.push(RBP);
        l.arguments(RSI, RDX, RCX, R8, R9, R10);
        l.x.mov(RDI, l.argument(6));
        ahead.begin(l, RBP);
        if (inPairs()) {
            RowPairs.loadOrder(l, order(l));
        }
        Label last = l.x.label();
        l.x.test(R10, R10);
        l.x.jump(Condition.EQUAL, last);
        l.repeat(R10, () -> {
            block(l, blockVectors(l.isa()), false);
            l.x.add(RSI, blockColumns(l.isa()) * rows.elementBytes());
            l.x.add(R8, blockColumns(l.isa()) * Float.BYTES);
        });
        l.x.bind(last);
        if (lastColumns > 0) {
            int tail = lastColumns % l.count();
            if (tail > 0) {
                l.x.mov(RAX, tail);
                l.setTail(RAX);
            }
            block(l, (lastColumns + l.count() - 1) / l.count(), tail > 0);
        }
        l.x.pop(RBP);
        l.x.pop(RBX);
        l.end();
    }

    /// The sums of a block of columns.
    ///
    /// @param partial whether the last vector is
    private void block(Lanes l, int vectors, boolean partial) {
        for (int from = 0; from < queries; from += together(l.isa())) {
            new Sums(l, from, Math.min(together(l.isa()), queries - from), vectors, partial).write();
        }
    }

    /// The sums of some queries: for each its vectors of columns; behind them the columns.
    private final class Sums {
        private final Lanes l;
        private final int from;
        private final int count;
        private final int vectors;
        private final boolean partial;
        private final int columns;

        Sums(Lanes l, int from, int count, int vectors, boolean partial) {
            this.l = l;
            this.from = from;
            this.count = count;
            this.vectors = vectors;
            this.partial = partial;
            columns = count * vectors;
        }

        void write() {
            if (accumulate) {
                each(l::load);
            } else {
                for (int i = 0; i < count * vectors; i++) {
                    l.zero(l.v(i));
                }
            }
            l.x.mov(RAX, RSI);
            l.x.mov(R11, RCX);
            l.x.mov(RBX, RDX);
            if (inPairs()) {
                l.x.shr(RBX, 1);
            }
            l.countDown(RBX, UNROLL, groups -> {
                for (int g = 0; g < groups; g++) {
                    group(g);
                }
                if (groups == UNROLL) {
                    ahead.ask(l, RDI, RBP, lines);
                }
                l.x.add(RAX, groups * rows.kind().perGroup() * rows.stride());
                l.x.add(R11, groups * StripScores.STRIP_BYTES);
            });
            if (inPairs()) {
                single();
            }
            each((sum, at) -> l.store(at, sum));
        }

        /// Where each of the sums lies; whole vectors.
        private void each(BiConsumer<Vec, Mem> body) {
            l.x.mov(RAX, R8);
            if (from > 0) {
                l.x.mov(R11, from);
                l.x.imul(R11, R9);
                l.x.add(RAX, R11);
            }
            for (int i = 0; i < count; i++) {
                for (int v = 0; v < vectors; v++) {
                    body.accept(l.v(i * vectors + v), Mem.at(RAX, v * l.isa().bytes()));
                }
                l.x.add(RAX, R9);
            }
        }

        /// A last row without another.
        private void single() {
            Label even = l.x.label();
            l.x.mov(RBX, RDX);
            l.x.and(RBX, 1);
            l.x.jump(Condition.EQUAL, even);
            half(l.v(columns), 0);
            l.x.op(VPERMW, l.v(columns), order(l), l.v(columns));
            dots(0);
            l.x.bind(even);
        }

        private void group(int g) {
            if (inPairs()) {
                pair(2 * g * rows.stride());
            } else {
                for (int v = 0; v < vectors; v++) {
                    Vec to = l.v(columns + v);
                    Mem at = Mem.at(RAX, g * rows.stride() + v * l.count() * rows.elementBytes());
                    if (partial && v == vectors - 1) {
                        l.inTailAsSet(() -> load(to, at));
                    } else {
                        load(to, at);
                    }
                }
            }
            dots(g);
        }

        private void load(Vec to, Mem at) {
            if (rows.widens()) {
                l.loadBf16(to, at);
            } else {
                l.load(to, at);
            }
        }

        /// A vector of columns of two rows.
        private void pair(int offset) {
            Vec pairs = l.v(columns);
            half(pairs, offset);
            if (partial) {
                Vec second = l.v(columns + 1);
                half(second, offset + rows.stride());
                l.x.op(VINSERTF64X4, pairs, pairs, second.as(32), imm(1));
            } else {
                l.x.op(VINSERTF64X4, pairs, pairs, Mem.at(RAX, offset + rows.stride()), imm(1));
            }
            l.x.op(VPERMW, pairs, order(l), pairs);
        }

        /// Loads half a vector of bf16, zeros above.
        private void half(Vec to, int offset) {
            Vec half = to.as(l.isa().bytes() / 2);
            if (partial) {
                l.x.op(VMOVDQU16, half.zeroed(K1), Mem.at(RAX, offset));
            } else {
                l.x.op(VMOVUPS, half, Mem.at(RAX, offset));
            }
        }

        private void dots(int g) {
            for (int i = 0; i < count; i++) {
                Mem weight = Mem.at(R11, g * StripScores.STRIP_BYTES + (from + i) * Float.BYTES);
                rows.kind().dots(l, i * vectors, columns, vectors, weight, l.v(columns + vectors));
            }
        }
    }

    private static Vec order(Lanes l) {
        return l.v(31);
    }
}
