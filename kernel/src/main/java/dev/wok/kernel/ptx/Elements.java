package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.Operand;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

/// Numbers that lie side by side in global memory, computed with as float32 whatever they are stored
/// in.
///
/// @param dtype F32 or BF16
/// @param count how many a thread takes at once: 4 or 2, or 1 where rows are not made for that
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
        return of(WIDE, n, rows);
    }

    /// @param most how many a thread takes at once where it can: 2 or 4
    /// @param n numbers of a row
    /// @param rows whose rows are taken alike, all of one type
    static Elements of(int most, int n, Tensor... rows) {
        DType dtype = rows[0].dtype();
        boolean isWide = n % most == 0;
        for (Tensor tensor : rows) {
            boolean isAligned = isAligned(most, tensor);
            for (int i = 0; i < tensor.rank() - 1; i++) {
                isAligned &= tensor.dim(i) == 1 || tensor.stride(i) % most == 0;
            }
            isWide &= isAligned;
        }
        return new Elements(dtype, isWide ? most : 1);
    }

    /// @param tensors contiguous, of one type and size
    /// @return as many at once as all of them allow, taken from the first number to the last as if in
    ///     one row
    static Elements flat(Tensor... tensors) {
        boolean isWide = tensors[0].elements() % WIDE == 0;
        for (Tensor tensor : tensors) {
            isWide &= isAligned(WIDE, tensor);
        }
        return new Elements(tensors[0].dtype(), isWide ? WIDE : 1);
    }

    private static boolean isAligned(int most, Tensor tensor) {
        return tensor.memory().address() % ((long) most * tensor.dtype().bytes()) == 0;
    }

    /// @return numbers of another type, as many at once
    Elements as(DType other) {
        return new Elements(other, count);
    }

    /// @return as many at once as both allow
    Elements atMost(Elements other) {
        return new Elements(dtype, Math.min(count, other.count));
    }

    /// @return the bytes from one row to the next
    static long rowBytes(Tensor rows) {
        return rows.stride(0) * rows.dtype().bytes();
    }

    /// @return one register as it is, several as a vector
    static Operand together(Reg... values) {
        return values.length == 1 ? values[0] : vec(values);
    }

    int bytes() {
        return (int) dtype.bytes();
    }

    /// @param i a number's index, of 32 or of 64 bits
    /// @return its address in a row that begins there
    Reg at(PtxKernel k, String name, Reg begin, Reg i) {
        Reg address = k.reg(Type.U64, name);
        if (i.type() == Type.U64) {
            k.mad(address, i, bytes(), begin);
        } else {
            k.madWide(address, i, bytes(), begin);
        }
        return address;
    }

    /// @param row a row's index, of 32 bits
    /// @param rowBytes from one row to the next
    /// @return the address of a number in a matrix
    Reg at(PtxKernel k, String name, Reg matrix, Reg row, Reg rowBytes, Reg column) {
        return at(k, name, row(k, name + "_row", matrix, row, rowBytes), column);
    }

    /// @return where a row of a matrix begins
    static Reg row(PtxKernel k, String name, Reg matrix, Reg row, Reg rowBytes) {
        Reg begin = k.reg(Type.U64, name);
        k.op("cvt.u64.u32", begin, row);
        k.mad(begin, begin, rowBytes, matrix);
        return begin;
    }

    /// Moves numbers from one address to another, bit by bit.
    void copy(PtxKernel k, Reg from, Reg to) {
        if (dtype == DType.F32) {
            store(k, to, load(k, "value", from));
        } else if (count == 1) {
            Reg raw = k.reg(Type.B16, "raw");
            k.ld(GLOBAL, raw, from);
            k.st(GLOBAL, to, raw);
        } else {
            Reg[] pairs = k.regs(Type.B32, "pairs", count / 2);
            k.ld(GLOBAL, vec(pairs), from);
            k.st(GLOBAL, to, vec(pairs));
        }
    }

    /// @return new registers with the numbers at an address
    Reg[] load(PtxKernel k, String name, Reg address) {
        Reg[] values = k.regs(Type.F32, name, count);
        load(k, values, address);
        return values;
    }

    void load(PtxKernel k, Reg[] values, Reg address) {
        if (dtype == DType.F32) {
            k.ld(GLOBAL, together(values), address);
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
        k.ld(GLOBAL, together(pairs), address);
        for (int i = 0; i < count; i += 2) {
            k.shl(half, pairs[i / 2], 16);
            k.op("mov.b32", values[i], half);
            k.and(half, pairs[i / 2], 0xFFFF_0000);
            k.op("mov.b32", values[i + 1], half);
        }
    }

    void store(PtxKernel k, Reg address, Reg... values) {
        if (dtype == DType.F32) {
            k.st(GLOBAL, address, together(values));
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
        if (count == 2) {
            k.op("st.global.b32", address.at(0), pairs[0]);
        } else {
            k.op("st.global.v2.b32", address.at(0), vec(pairs));
        }
    }
}
