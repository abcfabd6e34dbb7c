package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.device.GpuStream;
import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.BalanceLoss;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.function.Consumer;

/// A warp for each token, with sums in float64. A sequence is cut into slices of 128 tokens, which are
/// added in their order, then the sequences in theirs.
final class BalanceLossPtx extends BalanceLoss {
    /// Tokens of a block.
    private static final int SLICE = 128;

    private static final int WARPS = 8;
    private static final int THREADS = WARPS * Sums.LANES;

    private final Programs programs;

    BalanceLossPtx(Programs programs) {
        this.programs = programs;
    }

    private record Slice(DType scores, int experts, int topK) {}

    private record Sequence(DType fractions, int experts, int topK) {}

    private record Total(DType loss) {}

    private record Gradient(DType scores, DType fractions, int experts) {}

    /// @return what writes each kernel for F32
    static List<Consumer<PtxKernel>> kernels(int experts, int topK) {
        return List.of(
                k -> slice(k, new Slice(DType.F32, experts, topK)),
                k -> sequence(k, new Sequence(DType.F32, experts, topK)),
                k -> total(k, new Total(DType.F32)),
                k -> gradient(k, new Gradient(DType.F32, DType.F32, experts)));
    }

    private static Elements single(DType dtype) {
        return new Elements(dtype, 1);
    }

    @Override
    protected void measure(Tensor scores, int topK, int length, double alpha, Tensor fractions, Tensor loss) {
        GpuStream stream = programs.gpu().stream();
        int experts = scores.size(1);
        int sequences = scores.size(0) / length;
        int slices = Math.ceilDiv(length, SLICE);
        int blocks = sequences * slices;
        Tensor shares = programs.scratch("BalanceLoss.shares", DType.F64, (long) blocks * experts);
        Tensor counts = programs.scratch("BalanceLoss.counts", DType.I32, (long) blocks * experts);
        Tensor losses = programs.scratch("BalanceLoss.losses", DType.F64, sequences);
        Slice slice = new Slice(scores.dtype(), experts, topK);
        stream.launch(
                programs.get(slice, "balance_slice", k -> slice(k, slice)),
                Launch.of(blocks, THREADS).withShared(WARPS * experts * (Double.BYTES + Integer.BYTES)),
                scores,
                Elements.rowBytes(scores),
                length,
                slices,
                shares,
                counts);
        Sequence sequence = new Sequence(fractions.dtype(), experts, topK);
        stream.launch(
                programs.get(sequence, "balance_sequence", k -> sequence(k, sequence)),
                Launch.of(sequences, THREADS),
                shares,
                counts,
                length,
                slices,
                fractions,
                losses);
        Total total = new Total(loss.dtype());
        stream.launch(
                programs.get(total, "balance_total", k -> total(k, total)),
                Launch.of(1, Sums.LANES),
                losses,
                sequences,
                alpha,
                loss);
    }

    /// Each expert's shares of a slice's scores, and how often it is among the best.
    private static void slice(PtxKernel k, Slice key) {
        k.maxThreads(THREADS);
        Reg scores = k.param("scores", Type.U64);
        Reg rowBytes = k.param("scores_row_bytes", Type.U64);
        Reg length = k.param("length", Type.U32);
        Reg slices = k.param("slices", Type.U32);
        Reg shares = k.param("shares", Type.U64);
        Reg counts = k.param("counts", Type.U64);
        Symbol memory = k.dynamicShared("memory", 16);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg block = k.reg(Type.U32, "block", Special.CTAID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        Reg sequence = k.reg(Type.U32, "sequence");
        Reg begin = k.reg(Type.U32, "begin");
        Reg end = k.reg(Type.U32, "end");
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(warp, tid, 5);
        k.div(sequence, block, slices);
        k.rem(begin, block, slices);
        k.mul(begin, begin, SLICE);
        k.add(end, begin, SLICE);
        k.min(end, end, length);
        k.add(begin, begin, warp);
        WarpRow shape = new WarpRow(key.experts, block, lane);
        Reg[] share = k.regs(Type.F64, "share", shape.perLane());
        Reg[] often = k.regs(Type.U32, "often", shape.perLane());
        for (int j = 0; j < share.length; j++) {
            k.mov(share[j], 0.0);
            k.mov(often[j], 0);
        }
        k.loop("token", begin, end, WARPS, token -> {
            Reg at = k.reg(Type.U32, "row");
            k.mad(at, sequence, length, token);
            WarpRow row = new WarpRow(key.experts, at, lane);
            Reg[] s = row.load(k, "s", single(key.scores), row.in(k, "scores_at", scores, rowBytes), 0f);
            Reg[] wide = DoubleSums.wide(k, "wide", s);
            Reg sum = sum(k, wide);
            k.op("rcp.rn.f64", sum, sum);
            for (int j = 0; j < share.length; j++) {
                k.fma(share[j], wide[j], sum, share[j]);
            }
            Largest best = Largest.of(k, row, s);
            for (int i = 0; i < key.topK; i++) {
                best.next(k, (j, isTaken) -> k.onlyIf(isTaken, () -> k.add(often[j], often[j], 1)));
            }
        });

        k.comment("the warps in their order");
        Reg sharesAt = k.reg(Type.U32, "shares_at");
        Reg countsAt = k.reg(Type.U32, "counts_at");
        k.mov(sharesAt, memory);
        k.add(countsAt, sharesAt, WARPS * key.experts * Double.BYTES);
        Reg index = k.reg(Type.U32, "index");
        Reg at = k.reg(Type.U32, "at_shared");
        shape.each(k, j -> {
            k.mad(index, warp, key.experts, shape.index(k, j));
            k.mad(at, index, Double.BYTES, sharesAt);
            k.st(SHARED, at, share[j]);
            k.mad(at, index, Integer.BYTES, countsAt);
            k.st(SHARED, at, often[j]);
        });
        k.bar();
        Reg one = k.reg(Type.F64, "one");
        Reg count = k.reg(Type.U32, "count");
        Reg to = k.reg(Type.U64, "to");
        k.loop("expert", tid, key.experts, THREADS, expert -> {
            k.mov(share[0], 0.0);
            k.mov(often[0], 0);
            for (int w = 0; w < WARPS; w++) {
                k.add(index, expert, w * key.experts);
                k.mad(at, index, Double.BYTES, sharesAt);
                k.ld(SHARED, one, at);
                k.add(share[0], share[0], one);
                k.mad(at, index, Integer.BYTES, countsAt);
                k.ld(SHARED, count, at);
                k.add(often[0], often[0], count);
            }
            k.madWide(to, block, key.experts * Double.BYTES, shares);
            k.madWide(to, expert, Double.BYTES, to);
            k.st(GLOBAL, to, share[0]);
            k.madWide(to, block, key.experts * Integer.BYTES, counts);
            k.madWide(to, expert, Integer.BYTES, to);
            k.st(GLOBAL, to, often[0]);
        });
    }

    /// @return the sum over a warp's row, in a new register
    private static Reg sum(PtxKernel k, Reg... wide) {
        Reg sum = k.reg(Type.F64, "sum", wide[0]);
        for (int j = 1; j < wide.length; j++) {
            k.add(sum, sum, wide[j]);
        }
        DoubleSums.overWarp(k, sum);
        return sum;
    }

    private static void sequence(PtxKernel k, Sequence key) {
        k.maxThreads(THREADS);
        Elements elements = single(key.fractions);
        Reg shares = k.param("shares", Type.U64);
        Reg counts = k.param("counts", Type.U64);
        Reg length = k.param("length", Type.U32);
        Reg slices = k.param("slices", Type.U32);
        Reg fractions = k.param("fractions", Type.U64);
        Reg losses = k.param("losses", Type.U64);
        Symbol parts = k.shared("parts", Type.F64, WARPS, Double.BYTES);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg sequence = k.reg(Type.U32, "sequence", Special.CTAID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(warp, tid, 5);
        Reg first = k.reg(Type.U32, "first_slice");
        Reg last = k.reg(Type.U32, "last_slice");
        k.mul(first, sequence, slices);
        k.add(last, first, slices);
        Reg wideLength = k.reg(Type.F64, "wide_length");
        Reg perChoice = k.reg(Type.F64, "per_choice");
        k.cvt(wideLength, length);
        k.mul(perChoice, wideLength, (double) key.topK);
        Reg loss = k.reg(Type.F64, "loss", 0.0);
        Reg share = k.reg(Type.F64, "share");
        Reg often = k.reg(Type.U32, "often");
        Reg fraction = k.reg(Type.F64, "fraction");
        Reg one = k.reg(Type.F64, "one");
        Reg count = k.reg(Type.U32, "count");
        Reg rounded = k.reg(Type.F32, "rounded");
        Reg at = k.reg(Type.U64, "at");
        k.loop("expert", tid, key.experts, THREADS, expert -> {
            k.mov(share, 0.0);
            k.mov(often, 0);
            k.loop("slice", first, last, 1, slice -> {
                k.madWide(at, slice, key.experts * Double.BYTES, shares);
                k.madWide(at, expert, Double.BYTES, at);
                k.ld(GLOBAL, one, at);
                k.add(share, share, one);
                k.madWide(at, slice, key.experts * Integer.BYTES, counts);
                k.madWide(at, expert, Integer.BYTES, at);
                k.ld(GLOBAL, count, at);
                k.add(often, often, count);
            });
            k.cvt(fraction, often);
            k.mul(fraction, fraction, (double) key.experts);
            k.div(fraction, fraction, perChoice);
            k.op("cvt.rn.f32.f64", rounded, fraction);
            k.madWide(at, sequence, key.experts * elements.bytes(), fractions);
            k.madWide(at, expert, elements.bytes(), at);
            elements.store(k, at, rounded);
            k.div(share, share, wideLength);
            k.fma(loss, fraction, share, loss);
        });
        DoubleSums.overWarp(k, loss);
        Reg partAt = k.reg(Type.U32, "part_at");
        k.mov(partAt, parts);
        k.mad(partAt, warp, Double.BYTES, partAt);
        k.when(k.compare(Compare.EQ, lane, 0), () -> k.st(SHARED, partAt, loss));
        k.bar();
        k.when(k.compare(Compare.EQ, tid, 0), () -> {
            for (int w = 1; w < WARPS; w++) {
                k.ld(SHARED, one, parts.at((long) w * Double.BYTES));
                k.add(loss, loss, one);
            }
            k.madWide(at, sequence, Double.BYTES, losses);
            k.st(GLOBAL, at, loss);
        });
    }

    /// One warp.
    private static void total(PtxKernel k, Total key) {
        Elements elements = single(key.loss);
        Reg losses = k.param("losses", Type.U64);
        Reg sequences = k.param("sequences", Type.U32);
        Reg alpha = k.param("alpha", Type.F64);
        Reg loss = k.param("loss", Type.U64);
        Reg lane = k.reg(Type.U32, "lane", Special.TID_X);
        Reg sum = k.reg(Type.F64, "sum", 0.0);
        Reg one = k.reg(Type.F64, "one");
        Reg at = k.reg(Type.U64, "at");
        k.loop("sequence", lane, sequences, Sums.LANES, sequence -> {
            k.madWide(at, sequence, Double.BYTES, losses);
            k.ld(GLOBAL, one, at);
            k.add(sum, sum, one);
        });
        DoubleSums.overWarp(k, sum);
        Reg count = k.reg(Type.F64, "count");
        Reg value = k.reg(Type.F32, "value");
        k.cvt(count, sequences);
        k.mul(sum, sum, alpha);
        k.div(sum, sum, count);
        k.when(k.compare(Compare.EQ, lane, 0), () -> {
            elements.load(k, new Reg[] {value}, loss);
            k.op("cvt.f64.f32", one, value);
            k.add(one, one, sum);
            k.op("cvt.rn.f32.f64", value, one);
            elements.store(k, loss, value);
        });
    }

    @Override
    protected void gradient(Tensor scores, int length, double factor, Tensor fractions, Tensor dScores) {
        Gradient key = new Gradient(scores.dtype(), fractions.dtype(), scores.size(1));
        programs.gpu().stream()
                .launch(
                        programs.get(key, "balance_gradient", k -> gradient(k, key)),
                        RowOfWarp.launch(scores.size(0)),
                        scores,
                        Elements.rowBytes(scores),
                        length,
                        factor / scores.size(0),
                        fractions,
                        dScores,
                        Elements.rowBytes(dScores),
                        scores.size(0));
    }

    private static void gradient(PtxKernel k, Gradient key) {
        Elements elements = single(key.scores);
        Elements fraction = single(key.fractions);
        Reg scores = k.param("scores", Type.U64);
        Reg scoresRow = k.param("scores_row_bytes", Type.U64);
        Reg length = k.param("length", Type.U32);
        Reg factor = k.param("factor", Type.F64);
        Reg fractions = k.param("fractions", Type.U64);
        Reg dScores = k.param("dscores", Type.U64);
        Reg dScoresRow = k.param("dscores_row_bytes", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        WarpRow row = WarpRow.of(k, key.experts, tokens);
        Reg sequence = k.reg(Type.U32, "sequence");
        k.div(sequence, row.row(), length);
        Reg fractionsAt = k.reg(Type.U64, "fractions_at");
        k.madWide(fractionsAt, sequence, key.experts * fraction.bytes(), fractions);
        Reg[] s = DoubleSums.wide(k, "wide", row.load(k, "s", elements, row.in(k, "scores_at", scores, scoresRow), 0f));
        Reg[] f = DoubleSums.wide(k, "wide_f", row.load(k, "f", fraction, fractionsAt, 0f));
        Reg sum = sum(k, s);
        Reg mean = k.reg(Type.F64, "mean", 0.0);
        for (int j = 0; j < s.length; j++) {
            k.fma(mean, f[j], s[j], mean);
        }
        DoubleSums.overWarp(k, mean);
        k.div(mean, mean, sum);
        k.div(sum, factor, sum);
        Reg[] ds = k.regs(Type.F32, "ds", s.length);
        for (int j = 0; j < s.length; j++) {
            k.sub(f[j], f[j], mean);
            k.mul(f[j], f[j], sum);
            k.op("cvt.rn.f32.f64", ds[j], f[j]);
        }
        row.store(k, elements, row.in(k, "dscores_at", dScores, dScoresRow), ds);
    }
}
