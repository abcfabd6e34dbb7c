package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

/// Rows in global memory that go to shared memory as bf16, for tensor cores: copied while the threads
/// compute where they are bf16 already and lie well, read and rounded by the threads otherwise.
///
/// @param isAligned whether every row begins at a multiple of 16 bytes
record Bf16Rows(DType dtype, boolean isAligned) {
    /// Numbers of a piece, 16 bytes in shared memory.
    static final int PIECE = 8;

    private static final int ALIGNMENT = 16;
    private static final int PIECE_BYTES = 16;

    static Bf16Rows of(Tensor rows) {
        boolean isAligned = rows.memory().address() % ALIGNMENT == 0;
        for (int i = 0; i < rows.rank() - 1; i++) {
            isAligned &= rows.dim(i) == 1 || rows.stride(i) * rows.dtype().bytes() % ALIGNMENT == 0;
        }
        boolean isWhole = rows.dtype() == DType.BF16 || rows.dim(rows.rank() - 1) % Elements.WIDE == 0;
        return new Bf16Rows(rows.dtype(), isAligned && isWhole);
    }

    /// @return whether rows are copied while the threads compute
    boolean isCopied() {
        return isAligned && dtype == DType.BF16;
    }

    /// Brings a piece of a row; what lies behind the row comes as zeros. Others see it after
    /// `cp.async.wait_group` and a barrier.
    ///
    /// @param place in shared memory
    /// @param row its address, one that may be read even where `count` is 0
    /// @param first the piece's first number
    /// @param count how many numbers the row has, 0 for a piece of zeros; S32
    void bring(PtxKernel k, Reg place, long offset, Reg row, Reg first, Reg count) {
        Reg from = k.reg(Type.U64, "piece_from");
        Reg left = k.reg(Type.S32, "numbers_left");
        k.op("sub.s32", left, count, first);
        k.madWide(from, first, (int) dtype.bytes(), row);
        if (isCopied()) {
            k.max(left, left, 0);
            k.min(left, left, PIECE);
            k.shl(left, left, 1);
            k.onlyIf(k.compare(Compare.EQ, left, 0), () -> k.mov(from, row));
            k.op("cp.async.cg.shared.global", place.at(offset), from.at(0), PIECE_BYTES, left);
            return;
        }
        Reg[] pairs = k.regs(Type.BF16X2, "rounded", PIECE / 2);
        Elements elements = new Elements(dtype, isAligned ? Elements.WIDE : 1);
        int group = Math.max(2, elements.count());
        Reg[] numbers = k.regs(Type.F32, "number", group);
        for (int i = 0; i < PIECE; i += group) {
            for (Reg number : numbers) {
                k.mov(number, 0f);
            }
            for (int j = 0; j < group; j += elements.count()) {
                int at = j;
                k.when(k.compare(Compare.GT, left, i + j), () -> {
                    Reg[] loaded = elements.load(k, "loaded", from);
                    for (int n = 0; n < loaded.length; n++) {
                        k.mov(numbers[at + n], loaded[n]);
                    }
                });
                k.add(from, from, (long) elements.count() * elements.bytes());
            }
            for (int j = 0; j < group; j += 2) {
                k.cvt(pairs[(i + j) / 2], numbers[j + 1], numbers[j]);
            }
        }
        k.op("st.shared.v4.b32", place.at(offset), vec((Object[]) pairs));
    }
}
