package dev.wok.tune;

import dev.wok.device.Memory;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Matmul;
import dev.wok.kernel.Weight;
import dev.wok.model.Parameter;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;

/// The adapter on one [Linear]: `scale * B * A`, one for each expert where it is experts'.
///
/// Its products are float32 whatever the kernels' precision is, so that the sum in memory is what A and
/// B in a file say, but for float32 rounding. Cost of a step, for each adapted matrix: `6 * n * k *
/// rank` FLOPs.
final class LowRank {
    private final Linear linear;
    private final int rank;
    private final double alpha;
    private final Tensor a;
    private final Tensor b;
    private final List<Dense> factors = new ArrayList<>();
    private final Dense scaling;
    private final Tensor scratch;

    /// Zeros.
    ///
    /// @param alpha of this linear
    /// @param memory of the model's device
    LowRank(Linear linear, int rank, double alpha, boolean rslora, Kernels kernels, Memory memory) {
        this.linear = linear;
        this.rank = rank;
        this.alpha = alpha;
        DType dtype = linear.weight().dtype();
        int n = linear.n();
        int k = linear.k();
        a = memory.tensor(dtype, shape(rank, k));
        b = memory.tensor(dtype, shape(n, rank));
        scratch = memory.tensor(dtype, n, rank);
        for (int e = 0; e < linear.count(); e++) {
            factors.add(Weight.exact(matrix(a, e)));
        }
        Tensor diagonal = memory.tensor(dtype, rank, rank);
        Tensor host = Tensor.allocate(Arena.ofAuto(), dtype, rank, rank);
        double scale = Lora.scale(rank, alpha, rslora);
        for (int r = 0; r < rank; r++) {
            host.set(host.offset(r, r), scale);
        }
        kernels.stream().device().upload(host, diagonal);
        scaling = Weight.exact(diagonal);
    }

    private long[] shape(long rows, long columns) {
        return linear.isExperts() ? new long[] {linear.experts(), rows, columns} : new long[] {rows, columns};
    }

    private Tensor matrix(Tensor all, int expert) {
        return linear.isExperts() ? all.select(0, expert) : all;
    }

    Linear linear() {
        return linear;
    }

    int rank() {
        return rank;
    }

    double alpha() {
        return alpha;
    }

    /// @return `[rank, k]`, or `[experts, rank, k]`
    Tensor a() {
        return a;
    }

    /// @return `[n, rank]`, or `[experts, n, rank]`
    Tensor b() {
        return b;
    }

    List<Parameter> parameters() {
        return List.of(
                new Parameter(linear.name() + ".lora_A.weight", a, true),
                new Parameter(linear.name() + ".lora_B.weight", b, true));
    }

    /// Draws A uniformly from `-1/sqrt(k)` to `1/sqrt(k)`, as PEFT does; B stays zero.
    void draw(Kernels kernels, Rng rng) {
        Rng own = rng.split(linear.name());
        double bound = 1 / Math.sqrt(linear.k());
        Tensor host = Tensor.allocate(Arena.ofAuto(), a.dtype(), a.shape());
        for (long i = 0; i < host.elements(); i++) {
            host.set(i, bound * (2 * own.uniform(i) - 1));
        }
        kernels.stream().device().upload(host, a);
    }

    /// Says that A was written.
    void changed() {
        factors.forEach(Dense::changed);
    }

    /// `W += scale * B * A`.
    void add(Kernels kernels) {
        Matmul matmul = kernels.matmul();
        for (int e = 0; e < factors.size(); e++) {
            matmul.linear(matrix(b, e), scaling, scratch, false);
            matmul.linearInput(scratch, factors.get(e), matrix(linear.weight(), e), true);
        }
    }

    /// `dA = scale * B^T * dW`, `dB = scale * dW * A^T`.
    ///
    /// @param dW shaped as the weight
    /// @param dA shaped as A, written
    /// @param dB shaped as B, written
    void gradients(Kernels kernels, Tensor dW, Tensor dA, Tensor dB) {
        Matmul matmul = kernels.matmul();
        kernels.elementwise().fill(dA, 0);
        for (int e = 0; e < factors.size(); e++) {
            Dense factor = factors.get(e);
            matmul.linear(matrix(b, e), scaling, scratch, false);
            matmul.linearWeight(scratch, matrix(dW, e), factor, matrix(dA, e));
            matmul.linear(matrix(dW, e), factor, scratch, false);
            matmul.linear(scratch, scaling, matrix(dB, e), false);
        }
    }
}
