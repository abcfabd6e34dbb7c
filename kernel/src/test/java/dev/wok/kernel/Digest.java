package dev.wok.kernel;

import dev.wok.device.Device;
import dev.wok.kernel.Routing.Desc;
import dev.wok.kernel.Routing.Plan;
import dev.wok.kernel.Routing.Scoring;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Tensors;
import java.util.List;

/// Runs every vector kernel on fixed inputs and folds the bits of all results into one number. As a program it does so
/// as often as its argument says, demands the same number each time, and prints it.
final class Digest {
    private static final int TOKENS = 21;
    private static final int HIDDEN = 37;
    private static final int EXPERTS = 6;
    private static final int TOP_K = 2;
    private static final int INNER = 19;

    private final Kernels kernels;
    private long bits;

    private Digest(Kernels kernels) {
        this.kernels = kernels;
    }

    static long of(Kernels kernels) {
        Digest digest = new Digest(kernels);
        digest.layers();
        digest.attention();
        digest.experts();
        digest.training();
        return digest.bits;
    }

    public static void main(String[] args) {
        Kernels kernels = Kernels.on(Device.host(1).stream(), Backend.valueOf(args[1]));
        long first = of(kernels);
        for (int i = 1; i < Integer.parseInt(args[0]); i++) {
            if (of(kernels) != first) {
                System.out.println("other bits at repetition " + i);
                return;
            }
        }
        System.out.println("digest " + first);
    }

    private static Tensor input(String name, long... shape) {
        return Tensors.normal(new Rng(1).split(name), DType.F32, shape);
    }

    private static Tensor result(long... shape) {
        return Tensors.zeros(DType.F32, shape);
    }

    private void add(Tensor... results) {
        for (Tensor tensor : results) {
            for (long i = 0; i < tensor.elements(); i++) {
                float value = (float) tensor.get(i);
                if (Float.isNaN(value)) {
                    throw new AssertionError("a result is NaN: its bits prove nothing");
                }
                bits = bits * 0x9E3779B97F4A7C15L + Float.floatToRawIntBits(value);
            }
        }
    }

    private void layers() {
        Tensor x = input("x", TOKENS, HIDDEN);
        Tensor dy = input("dy", TOKENS, HIDDEN);
        Tensor weight = input("weight", HIDDEN);
        Tensor y = result(TOKENS, HIDDEN);
        Tensor rstd = result(TOKENS);
        kernels.rmsNorm().forward(x, weight, 1e-6, y, rstd);
        Tensor dx = result(TOKENS, HIDDEN);
        Tensor dWeight = result(HIDDEN);
        kernels.rmsNorm().backward(x, weight, rstd, dy, dx, false, dWeight);
        Tensor gateUp = input("gateUp", TOKENS, 2 * INNER);
        Tensor activated = result(TOKENS, INNER);
        Tensor dGateUp = result(TOKENS, 2 * INNER);
        kernels.swiglu().forward(gateUp, activated);
        kernels.swiglu().backward(gateUp, input("d", TOKENS, INNER), dGateUp);
        Tensor nt = result(TOKENS, TOKENS);
        Tensor few = result(3, TOKENS);
        Tensor nn = result(TOKENS, INNER);
        Tensor tn = result(HIDDEN, HIDDEN);
        kernels.matmul().nt(x, dy, nt, false);
        kernels.matmul().nt(x.slice(0, 0, 3), dy, few, false);
        kernels.matmul().nn(x, input("right", HIDDEN, INNER), nn, false);
        kernels.matmul().tn(x, dy, tn, true);
        add(y, rstd, dx, dWeight, activated, dGateUp, nt, few, nn, tn);
    }

    private void attention() {
        int tokens = 70;
        Tensor q = input("q", tokens, 2, 9);
        Tensor k = input("k", tokens, 1, 9);
        Tensor v = input("v", tokens, 1, 7);
        Tensor starts = Tensors.of(t -> t < 11 ? 0 : 11, DType.I32, tokens);
        Tensor cos = result(tokens, 4);
        Tensor sin = result(tokens, 4);
        kernels.rotary().table(Tensors.of(t -> 31 * t, DType.I32, tokens), input("f", 4), 1, cos, sin);
        kernels.rotary().rotate(q.slice(2, 0, 8), cos, sin, Rotary.Pairing.INTERLEAVED, false);
        Tensor out = result(tokens, 2, 7);
        Tensor lse = result(tokens, 2);
        Tensor dq = result(tokens, 2, 9);
        Tensor dk = result(tokens, 1, 9);
        Tensor dv = result(tokens, 1, 7);
        kernels.attention().forward(q, k, v, starts, 0.3, out, lse);
        kernels.attention().backward(q, k, v, starts, 0.3, out, lse, input("dOut", tokens, 2, 7), dq, dk, dv);
        PageTable table =
                new PageTable(Tensor.of(0, 1, 2), Tensor.of(1, 0, 2, 0, 1, 3).reshape(2, 3));
        Tensor absorbed = result(2, 2, 5);
        kernels.latentAttention()
                .forward(
                        input("lq", 2, 2, 9),
                        Weight.of(input("kvB", 2 * 11, 13)),
                        input("cache", 4, 14, 16),
                        table,
                        Tensor.of(39, 17),
                        0.3,
                        absorbed);
        Tensor cached = result(2, 6, 7);
        kernels.cachedAttention()
                .forward(
                        input("cq", 2, 6, 9),
                        input("keys", 4, 14, 2, 9),
                        input("values", 4, 14, 2, 7),
                        table,
                        Tensor.of(39, 17),
                        0.3,
                        cached);
        add(cos, sin, out, lse, dq, dk, dv, absorbed, cached);
    }

    private void experts() {
        for (Scoring scoring : Scoring.values()) {
            Desc desc = new Desc(scoring, EXPERTS, TOP_K, 3, 2, true, 2.5);
            Tensor scores = result(TOKENS, EXPERTS);
            Tensor chosen = Tensors.zeros(DType.I32, TOKENS, TOP_K);
            Tensor weights = result(TOKENS, TOP_K);
            kernels.routing().forward(desc, input("logits", TOKENS, EXPERTS), null, scores, chosen, weights);
            Plan plan = RoutingTest.plan(EXPERTS, TOKENS * TOP_K);
            kernels.routing().plan(chosen, plan, Tensors.zeros(DType.I32, EXPERTS));
            Tensor fractions = result(3, EXPERTS);
            Tensor loss = result(1);
            Tensor dScores = result(TOKENS, EXPERTS);
            kernels.balanceLoss().forward(scores, TOP_K, TOKENS / 3, 0.1, fractions, loss);
            kernels.balanceLoss().backward(scores, TOKENS / 3, 0.1, fractions, dScores);

            Tensor x = input("x", TOKENS, HIDDEN);
            Tensor up = input("up", EXPERTS, 2 * INNER, HIDDEN);
            Tensor down = input("down", EXPERTS, HIDDEN, INNER);
            Tensor gateUp = result(TOKENS * TOP_K, 2 * INNER);
            Tensor activated = result(TOKENS * TOP_K, INNER);
            Tensor scratch = result(TOKENS * TOP_K, HIDDEN);
            Tensor y = result(TOKENS, HIDDEN);
            kernels.experts().gateUp(x, plan, Weight.of(up), gateUp, activated);
            kernels.experts().down(activated, plan, Weight.of(down), weights, scratch, y);
            Tensor dActivated = result(TOKENS * TOP_K, INNER);
            Tensor dWeights = result(TOKENS, TOP_K);
            Tensor dDown = result(EXPERTS, HIDDEN, INNER);
            Tensor dUp = result(EXPERTS, 2 * INNER, HIDDEN);
            Tensor dx = result(TOKENS, HIDDEN);
            kernels.experts().downBackward(y, plan, Weight.of(down), weights, activated, dActivated, dWeights);
            kernels.experts().downWeightGradient(y, plan, weights, activated, dDown);
            kernels.experts().gateUpWeightGradient(gateUp, plan, x, dUp);
            kernels.experts().gateUpBackward(gateUp, plan, Weight.of(up), scratch, dx);
            Tensor dLogits = result(TOKENS, EXPERTS);
            kernels.routing().backward(desc, scores, chosen, dWeights, dScores, dLogits);
            add(scores, chosen, weights, loss, fractions, y, dActivated, dWeights, dDown, dUp, dx, dLogits);
        }
    }

    private void training() {
        Tensor logits = input("vocabulary", TOKENS, 61);
        Tensor targets = Tensors.of(t -> 2 * t, DType.I32, TOKENS);
        Tensor losses = result(TOKENS);
        kernels.crossEntropy().forward(logits, targets, losses);
        add(losses);
        kernels.crossEntropy().forwardBackward(logits, targets, 0.1, losses);
        Tensor table = result(9, 61);
        kernels.embedding().backward(Tensors.of(t -> t % 9, DType.I32, TOKENS), logits, table);
        Tensor normAndClip = result(2);
        kernels.adamW().clip(List.of(table, logits), 0.5, normAndClip);
        Tensor parameter = input("parameter", 9, 61);
        Tensor mean = result(9, 61);
        Tensor square = result(9, 61);
        AdamW.Step step = new AdamW.Step(0.01, 0.9, 0.95, 1e-8, 0.1, 1);
        kernels.adamW().update(step, parameter, table, mean, square, normAndClip);
        kernels.elementwise().add(parameter, mean, parameter);
        add(logits, losses, table, normAndClip, parameter, mean, square);
    }
}
