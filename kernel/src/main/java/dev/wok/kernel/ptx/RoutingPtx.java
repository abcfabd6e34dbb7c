package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Routing;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A warp for each token, its scores in registers. A choice that is no expert makes the gradients of
/// its token NaN; sorted, it comes behind all experts' rows, see [ExpertSort].
final class RoutingPtx extends Routing {
    private static final float SMALLEST_SUM = 1e-20f;

    private final Programs programs;

    RoutingPtx(Programs programs) {
        this.programs = programs;
    }

    /// @param bias null for none
    private record Choose(Desc desc, DType logits, @Nullable DType bias, DType scores, DType weights) {}

    /// @param isShared whether the scores have gradients of their own
    private record Gradient(Desc desc, DType scores, DType weights, boolean isShared) {}

    private record Move(DType bias) {}

    /// @return what writes each kernel of such a choice, in F32
    static List<Consumer<PtxKernel>> kernels(Desc desc) {
        return List.of(
                k -> choose(k, new Choose(desc, DType.F32, DType.F32, DType.F32, DType.F32)),
                k -> choose(k, new Choose(desc, DType.F32, null, DType.F32, DType.F32)),
                k -> gradient(k, new Gradient(desc, DType.F32, DType.F32, false)),
                k -> gradient(k, new Gradient(desc, DType.F32, DType.F32, true)),
                k -> move(k, new Move(DType.F32)));
    }

    private static Elements single(DType dtype) {
        return new Elements(dtype, 1);
    }

    @Override
    protected void choose(
            Desc desc, Tensor logits, @Nullable Tensor bias, Tensor scores, Tensor chosen, Tensor weights) {
        Choose key =
                new Choose(desc, logits.dtype(), bias == null ? null : bias.dtype(), scores.dtype(), weights.dtype());
        programs.gpu().stream()
                .launch(
                        programs.get(key, "route", k -> choose(k, key)),
                        RowOfWarp.launch(logits.size(0)),
                        logits,
                        Elements.rowBytes(logits),
                        bias == null ? logits : bias,
                        scores,
                        Elements.rowBytes(scores),
                        chosen,
                        weights,
                        logits.size(0));
    }

    private static void choose(PtxKernel k, Choose key) {
        Desc desc = key.desc;
        Reg logits = k.param("logits", Type.U64);
        Reg logitsRow = k.param("logits_row_bytes", Type.U64);
        Reg bias = k.param("bias", Type.U64);
        Reg scores = k.param("scores", Type.U64);
        Reg scoresRow = k.param("scores_row_bytes", Type.U64);
        Reg chosen = k.param("chosen", Type.U64);
        Reg weights = k.param("weights", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        WarpRow row = WarpRow.of(k, desc.experts(), tokens);
        Reg from = row.in(k, "logits_at", logits, logitsRow);
        Reg[] s = row.load(k, "logit", single(key.logits), from, Float.NEGATIVE_INFINITY);
        score(k, desc, row, s);
        row.store(k, single(key.scores), row.in(k, "scores_at", scores, scoresRow), s);

        k.comment("the bias decides, and does not weigh");
        Reg[] values = s;
        if (key.bias != null) {
            values = row.load(k, "choice", single(key.bias), bias, 0f);
            for (int j = 0; j < s.length; j++) {
                k.add(values[j], values[j], s[j]);
            }
        }
        Largest best = Largest.of(k, row, values);
        if (desc.topkGroup() < desc.groups()) {
            keepBestGroups(k, desc, row, best);
        }

        k.comment("the largest in turn: lane r keeps the choices r, r + 32, ..");
        WarpRow ranks = new WarpRow(desc.topK(), row.row(), row.lane());
        Reg[] experts = k.regs(Type.U32, "expert", ranks.perLane());
        Reg[] parts = k.regs(Type.F32, "part", ranks.perLane());
        Reg sum = k.reg(Type.F32, "sum", 0f);
        for (int rank = 0; rank < desc.topK(); rank++) {
            Reg own = k.reg(Type.F32, "own", 0f);
            Reg expert = best.next(k, (j, isTaken) -> k.onlyIf(isTaken, () -> k.mov(own, s[j])));
            Reg owner = k.reg(Type.U32, "owner");
            Reg part = k.reg(Type.F32, "chosen_score");
            k.and(owner, expert, Sums.LANES - 1);
            k.shflIdx(part, own, owner);
            k.add(sum, sum, part);
            int at = rank / Sums.LANES;
            Reg isMine = k.compare(Compare.EQ, row.lane(), rank % Sums.LANES);
            k.onlyIf(isMine, () -> k.mov(experts[at], expert));
            k.onlyIf(isMine, () -> k.mov(parts[at], part));
        }
        Reg factor = k.reg(Type.F32, "factor", (float) desc.factor());
        if (desc.normalize()) {
            k.add(sum, sum, SMALLEST_SUM);
            k.div(factor, factor, sum);
        }
        Reg chosenAt = row.in(k, "chosen_at", chosen, desc.topK() * Integer.BYTES);
        Elements weight = single(key.weights);
        Reg weightsAt = row.in(k, "weights_at", weights, desc.topK() * weight.bytes());
        ranks.each(k, j -> {
            k.mul(parts[j], parts[j], factor);
            Reg at = k.reg(Type.U64, "at");
            k.madWide(at, ranks.index(k, j), Integer.BYTES, chosenAt);
            k.st(GLOBAL, at, experts[j]);
        });
        ranks.store(k, weight, weightsAt, parts);
    }

    /// Turns a row's logits into scores; behind its end they are 0.
    private static void score(PtxKernel k, Desc desc, WarpRow row, Reg... s) {
        switch (desc.scoring()) {
            case SIGMOID -> row.each(k, j -> k.mov(s[j], Sigmoid.of(k, s[j])));
            case SOFTMAX -> {
                Reg most = k.reg(Type.F32, "most", s[0]);
                for (int j = 1; j < s.length; j++) {
                    k.op("max.NaN.f32", most, most, s[j]);
                }
                Sums.greatestOfWarp(k, most);
                Reg sum = k.reg(Type.F32, "exp_sum", 0f);
                row.each(k, j -> {
                    k.sub(s[j], s[j], most);
                    k.mov(s[j], Exp.ofNegative(k, s[j]));
                    k.add(sum, sum, s[j]);
                });
                Sums.overWarp(k, sum);
                row.each(k, j -> k.div(s[j], s[j], sum));
            }
        }
    }

    /// Takes the keys of all experts away that are in none of the best groups.
    private static void keepBestGroups(PtxKernel k, Desc desc, WarpRow row, Largest experts) {
        int size = desc.experts() / desc.groups();
        k.comment("lane g has the score of group g, g + 32, ..");
        WarpRow groups = new WarpRow(desc.groups(), row.row(), row.lane());
        Reg[] scores = k.regs(Type.F32, "group_score", groups.perLane());
        for (int group = 0; group < desc.groups(); group++) {
            Reg[] two = experts.bestTwo(k, group * size, (group + 1) * size);
            Reg score = Largest.number(k, two[0]);
            if (desc.scoring() == Scoring.SIGMOID) {
                k.add(score, score, Largest.number(k, two[1]));
            }
            Reg own = scores[group / Sums.LANES];
            k.onlyIf(k.compare(Compare.EQ, row.lane(), group % Sums.LANES), () -> k.mov(own, score));
        }
        Largest best = Largest.of(k, groups, scores);
        for (int i = 0; i < desc.topkGroup(); i++) {
            best.next(k, (_, _) -> {});
        }
        k.comment("a bit for each group that stays");
        Reg[] stays = k.regs(Type.U32, "stays", groups.perLane());
        for (int i = 0; i < stays.length; i++) {
            k.op("vote.sync.ballot.b32", stays[i], k.compare(Compare.EQ, best.keys()[i], 0), Largest.FULL_WARP);
        }
        row.each(k, j -> {
            Reg group = k.reg(Type.U32, "group");
            Reg word = k.reg(Type.U32, "word");
            Reg bits = k.reg(Type.U32, "bits", stays[0]);
            k.div(group, row.index(k, j), size);
            k.shr(word, group, 5);
            for (int i = 1; i < stays.length; i++) {
                Reg other = stays[i];
                k.onlyIf(k.compare(Compare.EQ, word, i), () -> k.mov(bits, other));
            }
            k.and(group, group, Sums.LANES - 1);
            k.shr(bits, bits, group);
            k.and(bits, bits, 1);
            k.onlyIf(k.compare(Compare.EQ, bits, 0), () -> k.mov(experts.keys()[j], 0));
        });
    }

    @Override
    protected void gradient(
            Desc desc, Tensor scores, Tensor chosen, Tensor dWeights, @Nullable Tensor dScores, Tensor dLogits) {
        Gradient key = new Gradient(desc, scores.dtype(), dWeights.dtype(), dScores != null);
        Tensor shared = dScores == null ? scores : dScores;
        programs.gpu().stream()
                .launch(
                        programs.get(key, "route_gradient", k -> gradient(k, key)),
                        RowOfWarp.launch(scores.size(0)),
                        scores,
                        Elements.rowBytes(scores),
                        chosen,
                        dWeights,
                        shared,
                        Elements.rowBytes(shared),
                        dLogits,
                        Elements.rowBytes(dLogits),
                        scores.size(0));
    }

    private static void gradient(PtxKernel k, Gradient key) {
        Desc desc = key.desc;
        Elements elements = single(key.scores);
        Elements weight = single(key.weights);
        Reg scores = k.param("scores", Type.U64);
        Reg scoresRow = k.param("scores_row_bytes", Type.U64);
        Reg chosen = k.param("chosen", Type.U64);
        Reg dWeights = k.param("dweights", Type.U64);
        Reg dScores = k.param("dscores", Type.U64);
        Reg dScoresRow = k.param("dscores_row_bytes", Type.U64);
        Reg dLogits = k.param("dlogits", Type.U64);
        Reg dLogitsRow = k.param("dlogits_row_bytes", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        WarpRow row = WarpRow.of(k, desc.experts(), tokens);
        Reg scoresAt = row.in(k, "scores_at", scores, scoresRow);
        Reg chosenAt = row.in(k, "chosen_at", chosen, desc.topK() * Integer.BYTES);
        Reg weightsAt = row.in(k, "weights_at", dWeights, desc.topK() * weight.bytes());
        Reg[] s = row.load(k, "s", elements, scoresAt, 0f);
        Reg[] ds = key.isShared
                ? row.load(k, "ds", elements, row.in(k, "dscores_at", dScores, dScoresRow), 0f)
                : k.regs(Type.F32, "ds", s.length);
        if (!key.isShared) {
            Arrays.stream(ds).forEach(d -> k.mov(d, 0f));
        }

        k.comment("the chosen scores' sum, and the sum weighted by the gradients");
        Reg sum = k.reg(Type.F32, "sum", SMALLEST_SUM);
        Reg weighted = k.reg(Type.F32, "weighted", 0f);
        Reg expert = k.reg(Type.U32, "expert");
        Reg d = k.reg(Type.F32, "d");
        Reg at = k.reg(Type.U64, "at");
        Reg score = k.reg(Type.F32, "score");
        Consumer<Reg> choice = rank -> {
            k.madWide(at, rank, Integer.BYTES, chosenAt);
            k.ld(GLOBAL, expert, at);
            k.madWide(at, rank, weight.bytes(), weightsAt);
            weight.load(k, new Reg[] {d}, at);
        };
        k.loop("rank", 0, desc.topK(), 1, rank -> {
            choice.accept(rank);
            k.mov(score, Float.NaN);
            k.when(k.compare(Compare.LT, expert, desc.experts()), () -> {
                k.madWide(at, expert, elements.bytes(), scoresAt);
                elements.load(k, new Reg[] {score}, at);
            });
            k.add(sum, sum, score);
            k.fma(weighted, score, d, weighted);
        });
        k.comment("NaN where a choice is no expert, else 0");
        Reg spoiled = k.reg(Type.F32, "spoiled");
        k.mul(spoiled, sum, 0f);
        Reg factor = k.reg(Type.F32, "factor", (float) desc.factor());
        if (desc.normalize()) {
            k.op("rcp.rn.f32", sum, sum);
            k.mul(weighted, weighted, sum);
            k.mul(factor, factor, sum);
        }
        k.loop("rank", 0, desc.topK(), 1, rank -> {
            choice.accept(rank);
            if (desc.normalize()) {
                k.sub(d, d, weighted);
            }
            k.mul(d, d, factor);
            for (int j = 0; j < ds.length; j++) {
                Reg own = ds[j];
                k.onlyIf(k.compare(Compare.EQ, expert, row.index(k, j)), () -> k.add(own, own, d));
            }
        });
        Reg mean = k.reg(Type.F32, "mean", spoiled);
        if (desc.scoring() == Scoring.SOFTMAX) {
            for (int j = 0; j < ds.length; j++) {
                k.fma(mean, ds[j], s[j], mean);
            }
            Sums.overWarp(k, mean);
        }
        Reg rest = k.reg(Type.F32, "rest");
        for (int j = 0; j < ds.length; j++) {
            switch (desc.scoring()) {
                case SIGMOID -> {
                    k.add(ds[j], ds[j], spoiled);
                    k.mul(ds[j], ds[j], s[j]);
                    k.sub(rest, 1f, s[j]);
                    k.mul(ds[j], ds[j], rest);
                }
                case SOFTMAX -> {
                    k.sub(ds[j], ds[j], mean);
                    k.mul(ds[j], ds[j], s[j]);
                }
            }
        }
        row.store(k, elements, row.in(k, "dlogits_at", dLogits, dLogitsRow), ds);
    }

    @Override
    protected void sort(Tensor chosen, Plan plan, Tensor load) {
        new ExpertSort(load.size(0)).run(programs, chosen, plan, load);
    }

    @Override
    protected void move(Tensor load, double gamma, Tensor bias) {
        if (load.elements() == 0) {
            return;
        }
        Move key = new Move(bias.dtype());
        programs.gpu().stream()
                .launch(
                        programs.get(key, "balance", k -> move(k, key)),
                        Launch.of(1, Sums.LANES),
                        load,
                        gamma,
                        bias,
                        load.size(0));
    }

    /// One warp. Counts and their sum are whole numbers below 2^53, which float64 holds.
    private static void move(PtxKernel k, Move key) {
        Elements elements = single(key.bias);
        Reg load = k.param("load", Type.U64);
        Reg gamma = k.param("gamma", Type.F64);
        Reg bias = k.param("bias", Type.U64);
        Reg experts = k.param("experts", Type.U32);
        Reg lane = k.reg(Type.U32, "lane", Special.TID_X);
        Reg total = k.reg(Type.F64, "total", 0.0);
        Reg count = k.reg(Type.S32, "count");
        Reg wide = k.reg(Type.F64, "wide");
        Reg at = k.reg(Type.U64, "at");
        k.loop("expert", lane, experts, Sums.LANES, expert -> {
            k.madWide(at, expert, Integer.BYTES, load);
            k.ld(GLOBAL, count, at);
            k.cvt(wide, count);
            k.add(total, total, wide);
        });
        DoubleSums.overWarp(k, total);
        Reg scale = k.reg(Type.F64, "scale");
        Reg step = k.reg(Type.F64, "step");
        Reg value = k.reg(Type.F32, "value");
        Reg down = k.reg(Type.F64, "down");
        k.cvt(scale, experts);
        k.neg(down, gamma);
        k.loop("expert", lane, experts, Sums.LANES, expert -> {
            k.madWide(at, expert, Integer.BYTES, load);
            k.ld(GLOBAL, count, at);
            k.cvt(wide, count);
            k.mul(wide, wide, scale);
            k.sub(wide, total, wide);
            k.mov(step, 0.0);
            k.onlyIf(k.compare(Compare.GT, wide, 0.0), () -> k.mov(step, gamma));
            k.onlyIf(k.compare(Compare.LT, wide, 0.0), () -> k.mov(step, down));
            k.madWide(at, expert, elements.bytes(), bias);
            elements.load(k, new Reg[] {value}, at);
            k.op("cvt.f64.f32", wide, value);
            k.add(wide, wide, step);
            k.op("cvt.rn.f32.f64", value, wide);
            elements.store(k, at, value);
        });
    }
}
