package dev.wok.kernel.x86;

import dev.wok.kernel.Matmul;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.List;

final class MatmulX86 extends Matmul {
    private final Gemm gemm;
    private final boolean bf16;

    MatmulX86(Gemm gemm, boolean bf16) {
        this.gemm = gemm;
        this.bf16 = bf16;
    }

    @Override
    protected void multiply(Orientation orientation, Tensor a, Tensor b, Tensor c, int k, boolean accumulate) {
        Shape.require("Matmul on the x86 backend", c, "c", DType.F32);
        if (k == 0) {
            if (!accumulate) {
                for (long i = 0; i < c.dim(0); i++) {
                    c.select(0, i).memory().asSlice(0, c.dim(1) * Float.BYTES).fill((byte) 0);
                }
            }
            return;
        }
        int n = c.size(1);
        try (Arena arena = Arena.ofShared()) {
            Panels right = gemm.panels(arena.allocate(gemm.panelBytes(n, k, bf16), 64), n, k, bf16);
            gemm.pack(List.of(new Gemm.Right(b, orientation == Orientation.NT, p -> p, right)), bf16);
            Gemm.Left left =
                    orientation == Orientation.TN ? gemm.columns(a, p -> p, null, bf16) : gemm.rows(a, p -> p, bf16);
            gemm.run(List.of(new Gemm.Problem(c.size(0), left, right, c, accumulate, null)));
        }
    }
}
