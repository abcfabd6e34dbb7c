package dev.wok.kernel.ptx;

import dev.wok.device.GpuStream;
import dev.wok.device.Launch;
import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.Target;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

/// Matrix products in bf16 with sums in float32, by the tensor cores.
///
/// Both operands are read along `k`, in rows that begin at multiples of 16 bytes. One that lies otherwise, or holds
/// float32, is copied first; that costs a pass over it.
final class Bf16Product {
    private static final int ALIGNMENT = 16;

    private final Programs programs;

    Bf16Product(Programs programs) {
        this.programs = programs;
    }

    /// `c (+)= a * b^T`.
    ///
    /// @param a `[m, k]`, or `[k, m]` where `turnsA`; F32 or BF16, one stride of 1
    /// @param b `[n, k]`, or `[k, n]` where `turnsB`
    /// @param c `[m, n]`, F32, rows of adjacent numbers, written, or added to where `accumulate`
    void multiply(Tensor a, boolean turnsA, Tensor b, boolean turnsB, Tensor c, boolean accumulate) {
        Tensor left = alongK("Bf16Product.a", a, turnsA);
        Tensor right = alongK("Bf16Product.b", b, turnsB);
        int m = c.size(0);
        int n = c.size(1);
        int k = left.size(1);
        GpuStream stream = programs.gpu().stream();
        if (hasWgmma() && k > 0) {
            ProductSm90 shape = ProductSm90.choose(m, n, accumulate);
            PtxFunction kernel = programs.get(shape, "product_sm90", shape::write);
            stream.launch(
                    kernel, shape.launch(m, n), shape.left(left), shape.right(right), c, Elements.rowBytes(c), m, n, k);
        } else {
            ProductSm80 shape = ProductSm80.choose(m, n, accumulate);
            PtxFunction kernel = programs.get(shape, "product_sm80", shape::write);
            Launch launch = shape.launch(m, n);
            stream.launch(
                    kernel,
                    launch,
                    left,
                    Elements.rowBytes(left),
                    right,
                    Elements.rowBytes(right),
                    c,
                    Elements.rowBytes(c),
                    m,
                    n,
                    k);
        }
    }

    private boolean hasWgmma() {
        return programs.target() == Target.SM_90A;
    }

    /// @param name of the memory for a copy
    /// @return the operand, or a copy of it, as `[rows, k]` in bf16
    private Tensor alongK(String name, Tensor operand, boolean turns) {
        boolean isReady = !turns
                && operand.dtype() == DType.BF16
                && operand.memory().address() % ALIGNMENT == 0
                && operand.stride(1) == 1
                && Elements.rowBytes(operand) % ALIGNMENT == 0;
        if (isReady) {
            return operand;
        }
        long rows = operand.dim(turns ? 1 : 0);
        long k = operand.dim(turns ? 0 : 1);
        long unit = ALIGNMENT / DType.BF16.bytes();
        long padded = Math.max(unit, (k + unit - 1) / unit * unit);
        Tensor copy = programs.scratch(name, DType.BF16, rows * padded)
                .slice(0, 0, rows * padded)
                .reshape(rows, padded)
                .slice(1, 0, k);
        if (copy.elements() > 0) {
            PackBf16 pack = new PackBf16(operand.dtype(), turns);
            programs.gpu().stream()
                    .launch(
                            programs.get(pack, "pack_bf16", pack::write),
                            pack.launch(operand.size(0), operand.size(1)),
                            operand,
                            Elements.rowBytes(operand),
                            copy,
                            Elements.rowBytes(copy),
                            operand.size(0),
                            operand.size(1));
        }
        return copy;
    }
}
