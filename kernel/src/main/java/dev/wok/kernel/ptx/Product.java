package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Space;
import dev.wok.emit.ptx.Type;

/// What both kernels of [Bf16Product] have in common: `c (+)= a * b^T`, a tile of `c` for each block.
final class Product {
    /// Bytes of a number of `a` and `b`.
    static final int BYTES = 2;

    private Product() {}

    /// Where a tile of the result lies.
    ///
    /// @param c the matrix, F32
    /// @param rowBytes from one of its rows to the next
    /// @param m its rows
    /// @param n its columns
    record Result(Reg c, Reg rowBytes, Reg m, Reg n, boolean accumulates) {
        static Result of(PtxKernel k, boolean accumulates) {
            return new Result(
                    k.param("c", Type.U64),
                    k.param("c_row_bytes", Type.U64),
                    k.param("m", Type.U32),
                    k.param("n", Type.U32),
                    accumulates);
        }

        /// Writes rows of a matrix fragment as `mma` and `wgmma` leave it: of each eight columns two neighbours in this
        /// row, and two in the row eight further on.
        ///
        /// @param row of the result
        /// @param column of the result, of the first eight columns
        /// @param values four for each eight columns
        void store(PtxKernel k, Reg row, Reg column, Reg... values) {
            Reg wide = k.reg(Type.U64, "wide");
            Reg begin = k.reg(Type.U64, "row_at");
            Reg at = k.reg(Type.U64, "at");
            Reg r = k.reg(Type.U32, "r");
            Reg col = k.reg(Type.U32, "col");
            Reg before = k.reg(Type.F32, "before");
            for (int half = 0; half < 2; half++) {
                int from = 2 * half;
                k.add(r, row, 8 * half);
                k.when(k.compare(Compare.LT, r, m), () -> {
                    k.op("cvt.u64.u32", wide, r);
                    k.mad(begin, wide, rowBytes, c);
                    for (int i = from; i < values.length; i += 4) {
                        for (int j = 0; j < 2; j++) {
                            Reg value = values[i + j];
                            k.add(col, column, i / 4 * 8 + j);
                            k.madWide(at, col, Float.BYTES, begin);
                            k.when(k.compare(Compare.LT, col, n), () -> {
                                if (accumulates) {
                                    k.ld(Space.GLOBAL, before, at);
                                    k.add(value, value, before);
                                }
                                k.st(Space.GLOBAL, at, value);
                            });
                        }
                    }
                });
            }
        }
    }

    /// Counts through the stages of a ring.
    ///
    /// @param phase turns over each time the ring is through
    record Ring(int stages, Reg slot, Reg phase) {
        static Ring of(PtxKernel k, String name, int stages) {
            return new Ring(stages, k.reg(Type.U32, name + "_slot", 0), k.reg(Type.U32, name + "_phase", 0));
        }

        void advance(PtxKernel k) {
            k.add(slot, slot, 1);
            Reg isThrough = k.compare(Compare.EQ, slot, stages);
            k.onlyIf(isThrough, () -> {
                k.mov(slot, 0);
                k.xor(phase, phase, 1);
            });
        }

        /// @return `base + slot * bytes` in a new register
        Reg at(PtxKernel k, String name, Reg base, int bytes) {
            Reg at = k.reg(Type.U32, name);
            k.mad(at, slot, bytes, base);
            return at;
        }
    }
}
