package dev.wok.kernel.dry;

import dev.wok.device.Stream;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.Attention;
import dev.wok.kernel.Backend;
import dev.wok.kernel.BalanceLoss;
import dev.wok.kernel.CachedAttention;
import dev.wok.kernel.CrossEntropy;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Elementwise;
import dev.wok.kernel.Embedding;
import dev.wok.kernel.Experts;
import dev.wok.kernel.Fp8Matmul;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.LatentAttention;
import dev.wok.kernel.LatentKeys;
import dev.wok.kernel.Matmul;
import dev.wok.kernel.Packed;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.kernel.RmsNorm;
import dev.wok.kernel.Rotary;
import dev.wok.kernel.Routing;
import dev.wok.kernel.Swiglu;
import dev.wok.tensor.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Kernels that check their arguments, as every door does, and compute nothing: a step of a model on them takes the
/// memory of a real one, and cannot read a value.
public final class DryKernels {
    private DryKernels() {}

    /// @return the kernels on a dry stream
    public static Kernels on(Stream stream, Precision precision) {
        return new Kernels(
                new Kernels.Choice(Backend.DRY, "measures without computing"),
                precision,
                stream,
                new DryEmbedding(),
                new DryRmsNorm(),
                new DryMatmul(precision),
                new DryFp8Matmul(),
                new DryRotary(),
                new DryAttention(),
                new DryLatentKeys(),
                new DryLatentAttention(),
                new DryCachedAttention(),
                new DrySwiglu(),
                new DryRouting(),
                new DryBalanceLoss(),
                new DryExperts(),
                new DryCrossEntropy(),
                new DryElementwise(),
                new DryAdamW());
    }

    private static final class DryEmbedding extends Embedding {
        @Override
        protected void gather(Tensor ids, Tensor table, Tensor out) {}

        @Override
        protected void scatter(Tensor ids, Tensor dOut, Tensor dTable) {}
    }

    private static final class DryRmsNorm extends RmsNorm {
        @Override
        protected void normalize(Tensor x, Tensor weight, double eps, Tensor y, Tensor rstd) {}

        @Override
        protected void gradient(
                Tensor x, Tensor weight, Tensor rstd, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight) {}
    }

    private static final class DryFp8Matmul extends Fp8Matmul {
        @Override
        protected void round(Tensor x, Tensor values, Tensor scales) {}

        @Override
        protected void multiply(Tensor a, Tensor aScales, Tensor b, Tensor bScales, Tensor c) {}
    }

    private static final class DryMatmul extends Matmul {
        DryMatmul(Precision precision) {
            super(precision);
        }

        @Override
        protected void multiply(
                Precision in, Orientation orientation, Tensor a, Tensor b, Tensor c, int k, boolean accumulate) {}

        @Override
        protected void multiplyPacked(Tensor x, Packed w, Tensor y, boolean accumulate) {}
    }

    private static final class DryRotary extends Rotary {
        @Override
        protected void angles(Tensor positions, Tensor frequencies, double scaling, Tensor cos, Tensor sin) {}

        @Override
        protected void turn(Tensor x, Tensor cos, Tensor sin, Pairing pairing, boolean backward) {}
    }

    private static final class DryAttention extends Attention {
        @Override
        protected void attend(Tensor q, Tensor k, Tensor v, Tensor keyStart, double scale, Tensor out, Tensor lse) {}

        @Override
        protected void gradient(
                Tensor q,
                Tensor k,
                Tensor v,
                Tensor keyStart,
                double scale,
                Tensor out,
                Tensor lse,
                Tensor dOut,
                Tensor dq,
                Tensor dk,
                Tensor dv) {}
    }

    private static final class DryLatentKeys extends LatentKeys {
        @Override
        protected void join(Tensor nope, Tensor rope, Tensor k) {}

        @Override
        protected void part(Tensor dk, Tensor dNope, Tensor dRope) {}
    }

    private static final class DryLatentAttention extends LatentAttention {
        @Override
        protected void attend(
                Tensor q, Dense kvB, Tensor cache, PageTable table, Tensor positions, double scale, Tensor out) {}

        @Override
        protected void attend(
                Tensor q,
                Packed keys,
                Packed values,
                Tensor cache,
                PageTable table,
                Tensor positions,
                double scale,
                Tensor out) {}
    }

    private static final class DryCachedAttention extends CachedAttention {
        @Override
        protected void attend(
                Tensor q, Tensor keys, Tensor values, PageTable table, Tensor positions, double scale, Tensor out) {}
    }

    private static final class DrySwiglu extends Swiglu {
        @Override
        protected void activate(Tensor gateUp, Tensor out) {}

        @Override
        protected void gradient(Tensor gateUp, Tensor dOut, Tensor dGateUp) {}
    }

    private static final class DryRouting extends Routing {
        @Override
        protected void choose(
                Desc desc, Tensor logits, @Nullable Tensor bias, Tensor scores, Tensor chosen, Tensor weights) {}

        @Override
        protected void gradient(
                Desc desc, Tensor scores, Tensor chosen, Tensor dWeights, @Nullable Tensor dScores, Tensor dLogits) {}

        @Override
        protected void sort(Tensor chosen, Plan plan, Tensor load) {}

        @Override
        protected void move(Tensor load, double gamma, Tensor bias) {}
    }

    private static final class DryBalanceLoss extends BalanceLoss {
        @Override
        protected void measure(Tensor scores, int topK, int length, double alpha, Tensor fractions, Tensor loss) {}

        @Override
        protected void gradient(Tensor scores, int length, double factor, Tensor fractions, Tensor dScores) {}
    }

    private static final class DryExperts extends Experts {
        @Override
        protected void gatherGateUp(Tensor x, Routing.Plan plan, Dense weight, Tensor gateUp, Tensor activated) {}

        @Override
        protected void gatherGateUp(Tensor x, Routing.Plan plan, Packed weight, Tensor gateUp, Tensor activated) {}

        @Override
        protected void multiplyDown(Tensor activated, Routing.Plan plan, Dense weight, Tensor rows) {}

        @Override
        protected void multiplyDown(Tensor activated, Routing.Plan plan, Packed weight, Tensor rows) {}

        @Override
        protected void join(Tensor rows, Tensor slotRow, @Nullable Tensor weights, Tensor y) {}

        @Override
        protected void downGradient(
                Tensor dy,
                Routing.Plan plan,
                Dense weight,
                Tensor weights,
                Tensor activated,
                Tensor dActivated,
                Tensor dWeights) {}

        @Override
        protected void downWeights(Tensor dy, Routing.Plan plan, Tensor weights, Tensor activated, Tensor dWeight) {}

        @Override
        protected void multiplyGateUp(Tensor dGateUp, Routing.Plan plan, Dense weight, Tensor rows) {}

        @Override
        protected void gateUpWeights(Tensor dGateUp, Routing.Plan plan, Tensor x, Tensor dWeight) {}
    }

    private static final class DryCrossEntropy extends CrossEntropy {
        @Override
        protected void measure(Tensor logits, Tensor targets, Tensor losses) {}

        @Override
        protected void replace(Tensor logits, Tensor targets, double factor, Tensor losses) {}
    }

    private static final class DryElementwise extends Elementwise {
        @Override
        protected void sum(Tensor a, Tensor b, Tensor out) {}

        @Override
        protected void addToRows(Tensor x, Tensor bias) {}

        @Override
        protected void sumRows(Tensor dy, Tensor dBias) {}

        @Override
        protected void set(Tensor x, double value) {}

        @Override
        protected void convert(Tensor from, Tensor to) {}

        @Override
        protected void convertToPages(Tensor from, Tensor to, PageTable table, Tensor positions) {}
    }

    private static final class DryAdamW extends AdamW {
        @Override
        protected double[] squares(Tensor gradient) {
            return new double[Math.toIntExact(Math.ceilDiv(gradient.elements(), BLOCK))];
        }

        @Override
        protected void norm(List<Tensor> gradients, double maxNorm, Tensor normAndClip) {}

        @Override
        protected void apply(
                Step step, Tensor parameter, Tensor gradient, Tensor mean, Tensor meanSquare, Tensor normAndClip) {}
    }
}
