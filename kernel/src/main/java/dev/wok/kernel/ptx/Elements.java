package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

/// Numbers that lie side by side in global memory, computed with as float32 whatever they are stored in.
///
/// @param dtype F32 or BF16
/// @param count how many a thread takes at once: 4, or 1 where rows are not made for that
record Elements(DType dtype, int count) {
    /// How many numbers a thread takes at once where it can.
    static final int WIDE = 4;

    Elements {
        if (dtype != DType.F32 && dtype != DType.BF16) {
            throw new IllegalArgumentException("PTX kernels take F32 and BF16, not " + dtype);
        }
    }

    /// @param n numbers of a row
    /// @param rows whose rows are taken alike, all of one type
    /// @return as many at once as every row allows: its length and where it begins
    static Elements of(int n, Tensor... rows) {
        DType dtype = rows[0].dtype();
        boolean isWide = n % WIDE == 0;
        for (Tensor tensor : rows) {
            long unit = (long) WIDE * dtype.bytes();
            boolean isAligned = tensor.memory().address() % unit == 0;
            for (int i = 0; i < tensor.rank() - 1; i++) {
                isAligned &= tensor.dim(i) == 1 || tensor.stride(i) * dtype.bytes() % unit == 0;
            }
            isWide &= isAligned;
        }
        return new Elements(dtype, isWide ? WIDE : 1);
    }

    /// @return the bytes from one row to the next
    static long rowBytes(Tensor rows) {
        return rows.stride(0) * rows.dtype().bytes();
    }

    int bytes() {
        return (int) dtype.bytes();
    }

    /// @return new registers with the numbers at an address
    Reg[] load(PtxKernel k, String name, Reg address) {
        Reg[] values = k.regs(Type.F32, name, count);
        load(k, values, address);
        return values;
    }

    void load(PtxKernel k, Reg[] values, Reg address) {
        if (dtype == DType.F32) {
            k.ld(GLOBAL, count == 1 ? values[0] : vec((Object[]) values), address);
            return;
        }
        if (count == 1) {
            Reg raw = k.reg(Type.U32, "raw");
            k.op("ld.global.u16", raw, address.at(0));
            k.shl(raw, raw, 16);
            k.op("mov.b32", values[0], raw);
            return;
        }
        Reg[] pairs = k.regs(Type.B32, "pairs", count / 2);
        Reg half = k.reg(Type.B32, "half");
        k.ld(GLOBAL, vec((Object[]) pairs), address);
        for (int i = 0; i < count; i += 2) {
            k.shl(half, pairs[i / 2], 16);
            k.op("mov.b32", values[i], half);
            k.and(half, pairs[i / 2], 0xFFFF_0000);
            k.op("mov.b32", values[i + 1], half);
        }
    }

    void store(PtxKernel k, Reg address, Reg... values) {
        if (dtype == DType.F32) {
            k.st(GLOBAL, address, count == 1 ? values[0] : vec((Object[]) values));
            return;
        }
        if (count == 1) {
            Reg rounded = k.reg(Type.BF16, "rounded");
            k.cvt(rounded, values[0]);
            k.op("st.global.b16", address.at(0), rounded);
            return;
        }
        Reg[] pairs = k.regs(Type.BF16X2, "rounded", count / 2);
        for (int i = 0; i < count; i += 2) {
            k.cvt(pairs[i / 2], values[i + 1], values[i]);
        }
        k.op("st.global.v2.b32", address.at(0), vec((Object[]) pairs));
    }
}
