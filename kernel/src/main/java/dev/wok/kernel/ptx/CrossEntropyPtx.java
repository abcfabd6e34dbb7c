package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.CrossEntropy;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/// A block for each row. Each thread keeps the greatest of its logits and the sum of their powers
/// relative to that, which it scales where a greater one comes; so a row is read once for the loss, and
/// once more for the gradient.
///
/// A target beyond the vocabulary gives NaN, in the loss and in all of its row's gradient.
final class CrossEntropyPtx extends CrossEntropy {
    /// Rows up to here are taken by few warps.
    private static final int SHORT = 4096;

    private static final int FEW_WARPS = 4;
    private static final int MANY_WARPS = 16;

    /// Logits that a thread reads before it takes their powers.
    private static final int AT_ONCE = 16;

    /// Terms of the logarithm's series.
    private static final int TERMS = 10;

    private static final int FRACTION_BITS = 23;

    private final Programs programs;

    CrossEntropyPtx(Programs programs) {
        this.programs = programs;
    }

    private record Row(Elements elements, DType losses, int warps, boolean replaces) {
        int threads() {
            return warps * Sums.LANES;
        }

        /// Numbers of the row that all threads take at once.
        int width() {
            return threads() * elements.count();
        }

        int parts() {
            return AT_ONCE / elements.count();
        }
    }

    /// @return what writes each kernel of these elements
    static List<Consumer<PtxKernel>> kernels(Elements elements) {
        List<Consumer<PtxKernel>> all = new ArrayList<>();
        for (int warps : new int[] {FEW_WARPS, MANY_WARPS}) {
            for (boolean replaces : new boolean[] {false, true}) {
                all.add(k -> write(k, new Row(elements, DType.F32, warps, replaces)));
            }
        }
        return all;
    }

    @Override
    protected void measure(Tensor logits, Tensor targets, Tensor losses) {
        launch(logits, targets, losses, false, 0);
    }

    @Override
    protected void replace(Tensor logits, Tensor targets, double factor, Tensor losses) {
        launch(logits, targets, losses, true, factor);
    }

    private void launch(Tensor logits, Tensor targets, Tensor losses, boolean replaces, double factor) {
        int vocab = logits.size(1);
        Row row =
                new Row(Elements.of(vocab, logits), losses.dtype(), vocab <= SHORT ? FEW_WARPS : MANY_WARPS, replaces);
        programs.gpu().stream()
                .launch(
                        programs.get(row, "cross_entropy", k -> write(k, row)),
                        Launch.of(logits.size(0), row.threads()),
                        logits,
                        Elements.rowBytes(logits),
                        targets,
                        losses,
                        vocab,
                        (float) factor);
    }

    private static void write(PtxKernel k, Row row) {
        Elements elements = row.elements;
        Elements loss = new Elements(row.losses, 1);
        Reg logits = k.param("logits", Type.U64);
        Reg rowBytes = k.param("row_bytes", Type.U64);
        Reg targets = k.param("targets", Type.U64);
        Reg losses = k.param("losses", Type.U64);
        Reg vocab = k.param("vocab", Type.U32);
        Reg factor = k.param("factor", Type.F32);
        k.maxThreads(row.threads());
        Symbol maxPart = Sums.part(k, "max_part", row.warps);
        Symbol sumPart = Sums.part(k, "sum_part", row.warps);
        BlockThread thread = BlockThread.of(k);
        Reg token = k.reg(Type.U32, "token", Special.CTAID_X);
        Reg begin = Elements.row(k, "begin", logits, token, rowBytes);
        Reg lossAt = loss.at(k, "loss_at", losses, token);
        Reg target = k.reg(Type.U32, "target");
        Reg targetAt = k.reg(Type.U64, "target_at");
        k.madWide(targetAt, token, Integer.BYTES, targets);
        k.ld(GLOBAL, target, targetAt);
        Reg first = k.reg(Type.U32, "first");
        k.mul(first, thread.number(), elements.count());
        Reg isFirst = k.compare("is_first", Compare.EQ, thread.number(), 0);

        k.when(k.compare(Compare.GE, target, vocab), () -> {
            k.comment("no target is zero, one beyond the vocabulary not a number");
            Reg none = k.reg(Type.F32, "none");
            Reg isNone = k.reg(Type.PRED, "is_none");
            k.op("setp.lt.s32", isNone, target, 0);
            k.selp(none, 0f, Float.NaN, isNone);
            k.when(isFirst, () -> loss.store(k, lossAt, none));
            if (row.replaces) {
                Reg[] values = new Reg[elements.count()];
                Arrays.fill(values, none);
                k.loop(
                        "none_at",
                        first,
                        vocab,
                        row.width(),
                        i -> elements.store(k, elements.at(k, "none_place", begin, i), values));
            }
            k.ret();
        });
        Elements single = new Elements(elements.dtype(), 1);
        Reg own = single.load(k, "own", single.at(k, "own_at", begin, target))[0];

        k.comment("a thread's greatest logit, and its sum of powers relative to that");
        Reg max = k.reg(Type.F32, "max", -Float.MAX_VALUE);
        Reg sum = k.reg(Type.F32, "sum", 0f);
        Reg before = k.reg(Type.F32, "before");
        eachRound(k, row, begin, first, vocab, false, (parts, _) -> {
            k.mov(before, max);
            for (Part part : parts) {
                for (Reg value : part.values) {
                    k.op("max.NaN.f32", max, max, value);
                }
            }
            k.sub(before, before, max);
            k.mul(sum, sum, Exp.ofNegative(k, before));
            for (Part part : parts) {
                for (Reg value : part.values) {
                    k.sub(value, value, max);
                    k.add(sum, sum, Exp.ofNegative(k, value));
                }
            }
        });

        k.comment("all sums relative to the greatest of the row");
        Reg whole = k.reg(Type.F32, "whole_max", max);
        Sums.greatestOfBlock(k, whole, row.warps, maxPart, thread.lane(), thread.warp());
        k.sub(max, max, whole);
        k.mul(sum, sum, Exp.ofNegative(k, max));
        Sums.overBlock(k, sum, row.warps, sumPart, thread.lane(), thread.warp());
        k.when(isFirst, () -> loss.store(k, lossAt, loss(k, whole, own, sum)));
        if (row.replaces) {
            Reg scale = k.reg(Type.F32, "scale");
            Reg negative = k.reg(Type.F32, "negative_factor");
            Reg place = k.reg(Type.U32, "place");
            Reg less = k.reg(Type.F32, "less");
            k.div(scale, factor, sum);
            k.neg(negative, factor);
            k.comment("gradient = e^(logit - max) * factor / sum, less the factor for the target");
            eachRound(k, row, begin, first, vocab, true, (parts, i) -> {
                for (int p = 0; p < parts.length; p++) {
                    Part part = parts[p];
                    for (int j = 0; j < part.values.length; j++) {
                        Reg value = part.values[j];
                        k.sub(value, value, whole);
                        Reg power = Exp.ofNegative(k, value);
                        k.add(place, i, p * row.width() + j);
                        k.selp(less, negative, 0f, k.compare(Compare.EQ, place, target));
                        k.fma(value, power, scale, less);
                    }
                    k.when(part.isInside, () -> elements.store(k, part.at, part.values));
                }
            });
        }
    }

    /// Some of a thread's numbers, side by side; minus infinity where the row is not so long.
    private record Part(Reg[] values, Reg at, Reg isInside) {}

    private interface Round {
        /// @param i a thread's first number's place in the row; the parts are a width of the block
        ///     apart
        void at(Part[] parts, Reg i);
    }

    /// @param backwards whether the end of the row comes first, which was read last and may still be in
    ///     the cache
    private static void eachRound(
            PtxKernel k, Row row, Reg begin, Reg first, Reg vocab, boolean backwards, Round body) {
        Elements elements = row.elements;
        Reg start = k.reg(Type.U32, "start");
        Reg column = k.reg(Type.U32, "column");
        Reg last = k.reg(Type.U32, "last_round");
        int width = row.width() * row.parts();
        k.sub(last, vocab, 1);
        k.and(last, last, -width);
        k.loop("i", 0, vocab, width, i -> {
            if (backwards) {
                k.sub(start, last, i);
                k.add(start, start, first);
            } else {
                k.add(start, i, first);
            }
            Part[] parts = new Part[row.parts()];
            for (int p = 0; p < parts.length; p++) {
                k.add(column, start, p * row.width());
                Part part = new Part(
                        k.regs(Type.F32, "value", elements.count()),
                        elements.at(k, "at", begin, column),
                        k.compare("is_inside", Compare.LT, column, vocab));
                for (Reg value : part.values) {
                    k.mov(value, Float.NEGATIVE_INFINITY);
                }
                k.onlyIf(part.isInside, () -> elements.load(k, part.values, part.at));
                parts[p] = part;
            }
            body.at(parts, start);
        });
    }

    /// @param sum at least 1, unless it is not a number, or 0 where all logits are minus infinity
    /// @return `max - own + log(sum)`, rounded once; not a number where there is no logarithm
    private static Reg loss(PtxKernel k, Reg max, Reg own, Reg sum) {
        Reg bits = k.reg(Type.U32, "bits");
        Reg exponent = k.reg(Type.S32, "exponent");
        k.op("mov.b32", bits, sum);
        k.op("shr.s32", exponent, bits, FRACTION_BITS);
        k.sub(exponent, exponent, Float.MAX_EXPONENT);
        k.and(bits, bits, (1 << FRACTION_BITS) - 1);
        k.or(bits, bits, Float.floatToRawIntBits(1));
        Reg fraction = k.reg(Type.F32, "fraction");
        k.op("mov.b32", fraction, bits);
        Reg power = k.reg(Type.F64, "power");
        Reg log = k.reg(Type.F64, "log");
        Reg ratio = k.reg(Type.F64, "ratio");
        Reg square = k.reg(Type.F64, "square");
        Reg below = k.reg(Type.F64, "below");
        k.cvt(ratio, fraction);
        k.cvt(power, exponent);
        k.comment(
                "sum = 2^power * m, m from sqrt(1/2) to sqrt(2); log(m) = 2 (r + r^3/3 + r^5/5 ..), r = (m - 1) / (m + 1)");
        Reg isLarge = k.compare("is_large", Compare.GT, ratio, Math.sqrt(2));
        k.onlyIf(isLarge, () -> k.mul(ratio, ratio, 0.5));
        k.onlyIf(isLarge, () -> k.add(power, power, 1.0));
        k.add(below, ratio, 1.0);
        k.sub(ratio, ratio, 1.0);
        k.div(ratio, ratio, below);
        k.mul(square, ratio, ratio);
        k.mov(log, 2.0 / (2 * TERMS - 1));
        for (int i = TERMS - 2; i >= 0; i--) {
            k.fma(log, log, square, 2.0 / (2 * i + 1));
        }
        k.mul(log, log, ratio);
        k.fma(log, power, Math.log(2), log);
        k.onlyIf(k.compare(Compare.LTU, sum, 1f), () -> k.mov(log, Double.NaN));
        Reg loss = k.reg(Type.F32, "loss");
        k.cvt(power, max);
        k.cvt(ratio, own);
        k.sub(power, power, ratio);
        k.add(log, log, power);
        k.cvt(loss, log);
        return loss;
    }
}
