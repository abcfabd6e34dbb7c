package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.AdamW;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/// Squares are summed by a fixed number of blocks; the last one to end adds what all left, in their order. So the sum
/// has the same bits every time, whichever blocks the chip runs first.
final class AdamWPtx extends AdamW {
    private static final int WARPS = Grid.THREADS / Sums.LANES;

    /// Blocks that sum: two for each multiprocessor of a large chip.
    private static final int MOST_BLOCKS = 264;

    /// What a block sums at least before another one is worth it.
    private static final int PER_BLOCK = 4096;

    /// Added to the norm, as PyTorch does.
    private static final float CLIP_EPS = 1e-6f;

    private final Programs programs;

    AdamWPtx(Programs programs) {
        this.programs = programs;
    }

    private record SumSquares(Elements elements) {}

    private record Clip() {}

    private record Update(Elements elements) {}

    /// @return what writes each kernel of these elements
    static List<Consumer<PtxKernel>> kernels(Elements elements) {
        return List.of(k -> sumSquares(k, elements), AdamWPtx::clip, k -> update(k, elements));
    }

    @Override
    protected double[] squares(Tensor gradient) {
        int blocks = Math.toIntExact(Math.ceilDiv(gradient.elements(), BLOCK));
        Tensor flat = gradient.reshape(gradient.elements());
        Tensor states = programs.scratch("AdamW.blocks", DType.I32, 2L * blocks).slice(0, 0, 2L * blocks);
        programs.gpu().stream().fill(states, (byte) 0);
        for (int i = 0; i < blocks; i++) {
            long from = (long) i * BLOCK;
            addSquares(
                    flat.slice(0, from, Math.min(gradient.elements(), from + BLOCK)),
                    states.slice(0, 2L * i, 2L * i + 2));
        }
        Tensor host = Tensor.allocate(Arena.ofAuto(), DType.I32, 2L * blocks);
        programs.gpu().download(states, host);
        double[] sums = new double[blocks];
        Arrays.setAll(sums, i -> Float.intBitsToFloat(host.getInt(2L * i)));
        return sums;
    }

    private Tensor state() {
        return programs.scratch("AdamW.state", DType.I32, 2);
    }

    /// Adds a tensor's squares to the state.
    private void addSquares(Tensor gradient, Tensor state) {
        Elements elements = Elements.flat(gradient);
        programs.gpu().stream()
                .launch(
                        programs.get(new SumSquares(elements), "sum_squares", k -> sumSquares(k, elements)),
                        Launch.of(blocks(gradient.elements()), Grid.THREADS),
                        gradient,
                        gradient.elements(),
                        programs.scratch("AdamW.parts", DType.F32, MOST_BLOCKS),
                        state);
    }

    @Override
    protected void norm(List<Tensor> gradients, double maxNorm, Tensor normAndClip) {
        Tensor state = state();
        programs.gpu().stream().fill(state, (byte) 0);
        for (Tensor gradient : gradients) {
            if (gradient.elements() > 0) {
                addSquares(gradient, state);
            }
        }
        programs.gpu().stream()
                .launch(programs.get(new Clip(), "clip", AdamWPtx::clip), Launch.of(1, 1), state, normAndClip, (float)
                        maxNorm);
    }

    private static int blocks(long elements) {
        return (int) Math.clamp(Math.ceilDiv(elements, PER_BLOCK), 1, MOST_BLOCKS);
    }

    private static void sumSquares(PtxKernel k, Elements elements) {
        Reg x = k.param("x", Type.U64);
        Reg count = k.param("count", Type.U64);
        Reg parts = k.param("parts", Type.U64);
        Reg state = k.param("state", Type.U64);
        Symbol part = Sums.part(k, "part", WARPS);
        Symbol lastPart = Sums.part(k, "last_part", WARPS);
        Symbol last = k.shared("last", Type.U32, 1, Integer.BYTES);
        k.comment("the block's own sum");
        Reg sum = k.reg(Type.F32, "sum", 0f);
        Grid.each(k, elements.count(), count, i -> {
            for (Reg value : elements.load(k, "x", elements.at(k, "x_at", x, i))) {
                k.fma(sum, value, value, sum);
            }
        });
        BlockThread thread = BlockThread.of(k);
        Sums.overBlock(k, sum, WARPS, part, thread.lane(), thread.warp());

        k.comment("whoever counts last finds all sums written");
        Reg block = k.reg(Type.U32, "this_block", Special.CTAID_X);
        Reg blocks = k.reg(Type.U32, "all_blocks", Special.NCTAID_X);
        Reg isFirst = k.compare(Compare.EQ, thread.number(), 0);
        Reg arrived = k.reg(Type.U32, "arrived");
        Reg greatest = k.reg(Type.U32, "greatest");
        k.sub(greatest, blocks, 1);
        k.when(isFirst, () -> {
            Reg at = k.reg(Type.U64, "part_at");
            k.madWide(at, block, Float.BYTES, parts);
            k.st(GLOBAL, at, sum);
            k.op("atom.acq_rel.gpu.global.inc.u32", arrived, state.at(Float.BYTES), greatest);
            k.st(SHARED, last.at(0), arrived);
        });
        k.bar();
        k.ld(SHARED, arrived, last.at(0));
        k.when(k.compare(Compare.NE, arrived, greatest), k::ret);

        k.comment("the blocks' sums in their order, on top of earlier tensors");
        Reg total = k.reg(Type.F32, "total", 0f);
        Reg one = k.reg(Type.F32, "one");
        k.loop("b", thread.number(), blocks, Grid.THREADS, b -> {
            Reg at = k.reg(Type.U64, "sum_at");
            k.madWide(at, b, Float.BYTES, parts);
            k.ld(GLOBAL, one, at);
            k.add(total, total, one);
        });
        Sums.overBlock(k, total, WARPS, lastPart, thread.lane(), thread.warp());
        k.when(isFirst, () -> {
            k.ld(GLOBAL, one, state);
            k.add(total, total, one);
            k.st(GLOBAL, state, total);
        });
    }

    private static void clip(PtxKernel k) {
        Reg state = k.param("state", Type.U64);
        Reg to = k.param("norm_and_clip", Type.U64);
        Reg most = k.param("max_norm", Type.F32);
        Reg norm = k.reg(Type.F32, "norm");
        Reg clip = k.reg(Type.F32, "clip");
        k.ld(GLOBAL, norm, state);
        k.sqrt(norm, norm);
        k.add(clip, norm, CLIP_EPS);
        k.div(clip, most, clip);
        k.op("min.NaN.f32", clip, clip, 1f);
        k.st(GLOBAL, to, norm);
        k.st(GLOBAL, to.at(Float.BYTES), clip);
    }

    @Override
    protected void apply(
            Step step, Tensor parameter, Tensor gradient, Tensor mean, Tensor meanSquare, Tensor normAndClip) {
        Elements elements = Elements.flat(parameter, gradient, mean, meanSquare);
        programs.gpu().stream()
                .launch(
                        programs.get(new Update(elements), "adamw", k -> update(k, elements)),
                        Grid.all(parameter.elements(), elements.count()),
                        parameter,
                        gradient,
                        mean,
                        meanSquare,
                        normAndClip,
                        parameter.elements(),
                        (float) step.beta1(),
                        (float) step.beta2(),
                        (float) (1 - step.beta1()),
                        (float) (1 - step.beta2()),
                        (float) step.rate(),
                        (float) step.root(),
                        (float) step.eps(),
                        (float) (1 - step.learningRate() * step.weightDecay()));
    }

    private static void update(PtxKernel k, Elements elements) {
        Reg p = k.param("p", Type.U64);
        Reg g = k.param("g", Type.U64);
        Reg m = k.param("m", Type.U64);
        Reg v = k.param("v", Type.U64);
        Reg normAndClip = k.param("norm_and_clip", Type.U64);
        Reg count = k.param("count", Type.U64);
        Reg beta1 = k.param("beta1", Type.F32);
        Reg beta2 = k.param("beta2", Type.F32);
        Reg rest1 = k.param("one_minus_beta1", Type.F32);
        Reg rest2 = k.param("one_minus_beta2", Type.F32);
        Reg rate = k.param("rate", Type.F32);
        Reg root = k.param("root", Type.F32);
        Reg eps = k.param("eps", Type.F32);
        Reg decay = k.param("decay", Type.F32);
        Reg clip = k.reg(Type.F32, "clip");
        k.ld(GLOBAL, clip, normAndClip.at(Float.BYTES));
        Grid.each(k, elements.count(), count, i -> {
            Reg pAt = elements.at(k, "p_at", p, i);
            Reg mAt = elements.at(k, "m_at", m, i);
            Reg vAt = elements.at(k, "v_at", v, i);
            Reg[] values = elements.load(k, "p", pAt);
            Reg[] slopes = elements.load(k, "g", elements.at(k, "g_at", g, i));
            Reg[] means = elements.load(k, "m", mAt);
            Reg[] squares = elements.load(k, "v", vAt);
            Reg scaled = k.reg(Type.F32, "scaled");
            Reg below = k.reg(Type.F32, "below");
            for (int j = 0; j < values.length; j++) {
                k.comment("m = b1 m + (1 - b1) g, v = b2 v + (1 - b2) g^2");
                k.mul(slopes[j], slopes[j], clip);
                k.mul(means[j], means[j], beta1);
                k.fma(means[j], slopes[j], rest1, means[j]);
                k.mul(scaled, slopes[j], slopes[j]);
                k.mul(squares[j], squares[j], beta2);
                k.fma(squares[j], scaled, rest2, squares[j]);
                k.comment("p = decay p - rate m / (root sqrt(v) + eps)");
                k.sqrt(below, squares[j]);
                k.fma(below, below, root, eps);
                k.mul(scaled, means[j], rate);
                k.div(scaled, scaled, below);
                k.neg(scaled, scaled);
                k.fma(values[j], values[j], decay, scaled);
            }
            elements.store(k, mAt, means);
            elements.store(k, vAt, squares);
            elements.store(k, pAt, values);
        });
    }
}
