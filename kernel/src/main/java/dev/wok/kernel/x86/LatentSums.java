package dev.wok.kernel.x86;

import static dev.wok.emit.Imm.imm;
import static dev.wok.emit.Mask.K1;
import static dev.wok.emit.Op.VINSERTF64X4;
import static dev.wok.emit.Op.VMOVDQU16;
import static dev.wok.emit.Op.VMOVUPS;
import static dev.wok.emit.Op.VPERMW;
import static dev.wok.emit.Reg.R10;
import static dev.wok.emit.Reg.R11;
import static dev.wok.emit.Reg.R8;
import static dev.wok.emit.Reg.R9;
import static dev.wok.emit.Reg.RAX;
import static dev.wok.emit.Reg.RBX;
import static dev.wok.emit.Reg.RCX;
import static dev.wok.emit.Reg.RDI;
import static dev.wok.emit.Reg.RDX;
import static dev.wok.emit.Reg.RSI;

import dev.wok.emit.Condition;
import dev.wok.emit.Label;
import dev.wok.emit.Mem;
import dev.wok.emit.Vec;

/// Weighted sums of rows of a cache, as they lie there, for some queries of a strip: `sums[i] = sum_j weights[j, i]
/// row_j`.
///
/// Arguments ([Arguments]): the first row, how many rows (1 or more), weights as groups of the whole strip one after
/// another (from the first query that is computed; beside the weight of a last single row stands a zero), sums, bytes
/// between them, whole blocks of columns, what is needed next.
///
/// @param queries how many sums
/// @param stride bytes between rows of the cache
/// @param lastColumns columns behind the whole blocks; of the sums whole vectors are written
record LatentSums(Tile.Kind kind, int queries, int stride, int lastColumns) {
    private static final int UNROLL = 4;

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
        return kind == Tile.Kind.BF16;
    }

    /// Writes the code.
    void write(Lanes l) {
        l.x.push(RBX);
        l.arguments(RSI, RDX, RCX, R8, R9, R10);
        l.x.mov(RDI, l.argument(6));
        if (inPairs()) {
            RowPairs.loadOrder(l, order(l));
        }
        Label last = l.x.label();
        l.x.test(R10, R10);
        l.x.jump(Condition.EQUAL, last);
        l.repeat(R10, () -> {
            block(l, blockVectors(l.isa()), false);
            l.x.add(RSI, blockColumns(l.isa()) * Float.BYTES / kind.perGroup());
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
            for (int i = 0; i < count * vectors; i++) {
                l.zero(l.v(i));
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
                    LatentScores.ask(l, RDI, l.isa().hasMasks() ? 2 : 1);
                }
                l.x.add(RAX, groups * kind.perGroup() * stride);
                l.x.add(R11, groups * LatentScores.STRIP_BYTES);
            });
            if (inPairs()) {
                single();
            }
            l.x.mov(RAX, R8);
            if (from > 0) {
                l.x.mov(R11, from);
                l.x.imul(R11, R9);
                l.x.add(RAX, R11);
            }
            for (int i = 0; i < count; i++) {
                for (int v = 0; v < vectors; v++) {
                    l.store(Mem.at(RAX, v * l.isa().bytes()), l.v(i * vectors + v));
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
                pair(2 * g * stride);
            } else {
                for (int v = 0; v < vectors; v++) {
                    Vec to = l.v(columns + v);
                    Mem at = Mem.at(RAX, g * stride + v * l.isa().bytes());
                    if (partial && v == vectors - 1) {
                        l.inTailAsSet(() -> l.load(to, at));
                    } else {
                        l.load(to, at);
                    }
                }
            }
            dots(g);
        }

        /// A vector of columns of two rows.
        private void pair(int offset) {
            Vec pairs = l.v(columns);
            half(pairs, offset);
            if (partial) {
                Vec second = l.v(columns + 1);
                half(second, offset + stride);
                l.x.op(VINSERTF64X4, pairs, pairs, second.as(32), imm(1));
            } else {
                l.x.op(VINSERTF64X4, pairs, pairs, Mem.at(RAX, offset + stride), imm(1));
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
                Mem weight = Mem.at(R11, g * LatentScores.STRIP_BYTES + (from + i) * Float.BYTES);
                kind.dots(l, i * vectors, columns, vectors, weight, l.v(columns + vectors));
            }
        }
    }

    private static Vec order(Lanes l) {
        return l.v(31);
    }
}
