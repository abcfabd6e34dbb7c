package dev.wok.kernel.ptx;

import dev.wok.device.Launch;
import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Attention;
import dev.wok.kernel.Precision;
import dev.wok.kernel.ptx.PlainAttention.Kind;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.function.ToDoubleFunction;

/// Attention in float32 by [PlainAttention], in bf16 by [TensorAttention] and, on Hopper, by
/// [AttentionSm90] and [AttentionGradientSm90]. A query whose `keyStart` is negative or behind itself gets NaN.
final class AttentionPtx extends Attention {
    private static final int ALIGNMENT = 16;

    private final Programs programs;
    private final Precision precision;
    private final Choice choice;

    /// Chooses among ways to compute the same.
    interface Choice {
        /// @param costs of all of them, as far as they are known beforehand
        /// @return the number of one
        int of(double[] costs);
    }

    AttentionPtx(Programs programs, Precision precision) {
        this(programs, precision, AttentionPtx::least);
    }

    private static int least(double[] costs) {
        int least = 0;
        for (int i = 1; i < costs.length; i++) {
            least = costs[i] < costs[least] ? i : least;
        }
        return least;
    }

    private <T> T choose(List<T> candidates, ToDoubleFunction<T> cost) {
        return candidates.get(choice.of(candidates.stream().mapToDouble(cost).toArray()));
    }

    AttentionPtx(Programs programs, Precision precision, Choice choice) {
        this.programs = programs;
        this.precision = precision;
        this.choice = choice;
    }

    private static Elements elements(Tensor q, Tensor k, Tensor v, Tensor out, Tensor... more) {
        Elements qk = Elements.of(q.size(2), q, k);
        Elements vs = Elements.of(v.size(2), v, out);
        int count = Math.min(qk.count(), vs.count());
        for (Tensor tensor : more) {
            count = Math.min(count, Elements.of(tensor.size(2), tensor).count());
        }
        return new Elements(q.dtype(), count);
    }

    @Override
    protected void attend(Tensor q, Tensor k, Tensor v, Tensor keyStart, double scale, Tensor out, Tensor lse) {
        if (hasTensorCode(q, v, scale)) {
            Tensor[] in = {operand("q", q), operand("k", k), operand("v", v)};
            List<AttentionSm90> forHopper = forHopper(q, v, out);
            if (forHopper.isEmpty()) {
                TensorAttention shape = shape(TensorAttention.Kind.OUT, q.dtype(), q, v, out);
                tensor(shape, in[0], in[1], in[2], keyStart, scale, in[0], lse, lse, out, out);
            } else {
                AttentionSm90 shape = choose(forHopper, AttentionSm90::cost);
                hopper(shape, in[0], in[1], in[2], keyStart, scale, out, lse);
            }
            return;
        }
        Elements elements = elements(q, k, v, out);
        plain(Kind.OUT, elements, q, k, v, keyStart, scale, out, lse, lse, out);
    }

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
            Tensor dv) {
        Tensor statistics = statistics(out, lse, dOut);
        if (hasTensorCode(q, v, scale)) {
            Tensor[] in = {operand("q", q), operand("k", k), operand("v", v), operand("dOut", dOut)};
            gradient(false, in, keyStart, scale, lse, statistics, dk, dv);
            gradient(true, in, keyStart, scale, lse, statistics, dq, dq);
            return;
        }
        Elements elements = elements(q, k, v, out, dOut, dq, dk, dv);
        plain(Kind.D_VALUES, elements, q, k, v, keyStart, scale, dOut, lse, statistics, dv);
        plain(Kind.D_KEYS, elements, q, k, v, keyStart, scale, dOut, lse, statistics, dk);
        plain(Kind.D_QUERIES, elements, q, k, v, keyStart, scale, dOut, lse, statistics, dq);
    }

    /// Either gradient by tensor cores.
    ///
    /// @param in of [#operand]: `q`, `k`, `v`, `dOut`
    /// @param result `dq` or `dk`
    /// @param second `dv` with `dk`
    private void gradient(
            boolean ofQueries,
            Tensor[] in,
            Tensor keyStart,
            double scale,
            Tensor lse,
            Tensor statistics,
            Tensor result,
            Tensor second) {
        List<AttentionGradientSm90> forHopper = programs.target() == Target.SM_90A
                ? AttentionGradientSm90.candidates(
                        ofQueries,
                        result.dtype(),
                        inPairs(result, second),
                        in[0].size(2),
                        in[2].size(2),
                        in[0].dim(0) * in[0].dim(1),
                        programs.gpu().facts().sharedBytes())
                : List.of();
        if (forHopper.isEmpty()) {
            TensorAttention.Kind kind = ofQueries ? TensorAttention.Kind.D_QUERIES : TensorAttention.Kind.D_KEYS;
            TensorAttention shape = shape(kind, result.dtype(), in[0], in[2], result, second);
            tensor(shape, in[0], in[1], in[2], keyStart, scale, in[3], lse, statistics, result, second);
        } else {
            AttentionGradientSm90 shape = choose(forHopper, AttentionGradientSm90::cost);
            hopper(shape, in, keyStart, scale, statistics, result, second);
        }
    }

    private void hopper(
            AttentionGradientSm90 shape,
            Tensor[] in,
            Tensor keyStart,
            double scale,
            Tensor statistics,
            Tensor result,
            Tensor second) {
        int tokens = in[0].size(0);
        int heads = in[0].size(1);
        List<Object> arguments = new ArrayList<>(
                List.of(shape.queries(in[0]), shape.keys(in[1]), shape.keys(in[2]), shape.queries(in[3])));
        arguments.add(shape.ownsQueries() ? statistics : shape.statistics(statistics));
        HeadRows.add(arguments, result);
        HeadRows.add(arguments, second);
        Collections.addAll(
                arguments, keyStart, tokens, heads, heads / in[1].size(1), (float) (scale / Math.log(2)), (float)
                        scale);
        String name = shape.ownsQueries() ? "attention_dq_sm90" : "attention_dk_dv_sm90";
        launch(programs.get(shape, name, shape::write), shape.launch(tokens, result.size(1)), arguments);
    }

    /// @return of [AttentionStatistics]
    private Tensor statistics(Tensor out, Tensor lse, Tensor dOut) {
        long rows = out.dim(0) * out.dim(1);
        Tensor statistics =
                programs.scratch("Attention.statistics", DType.F32, 2 * rows).slice(0, 0, 2 * rows);
        AttentionStatistics shape = new AttentionStatistics(Elements.of(out.size(2), out, dOut));
        List<Object> arguments = new ArrayList<>();
        for (Tensor tensor : List.of(out, dOut, lse)) {
            HeadRows.add(arguments, tensor);
        }
        Collections.addAll(arguments, statistics, out.size(0), Math.toIntExact(rows), out.size(2));
        launch(programs.get(shape, "attention_statistics", shape::write), shape.launch(rows), arguments);
        return statistics;
    }

    /// Whether rows are short enough, and scores grow with the products.
    private boolean hasTensorCode(Tensor q, Tensor v, double scale) {
        return precision == Precision.BF16 && scale > 0 && TensorAttention.fits(q.size(2), v.size(2));
    }

    private TensorAttention shape(TensorAttention.Kind kind, DType dtype, Tensor q, Tensor v, Tensor... results) {
        int sharedBytes = programs.gpu().facts().sharedBytes();
        return choose(
                TensorAttention.candidates(kind, dtype, inPairs(results), q.size(2), v.size(2), sharedBytes),
                shape -> shape.cost(sharedBytes));
    }

    /// @return the ways to attend on Hopper; none on other chips, and where rows are too long
    private List<AttentionSm90> forHopper(Tensor q, Tensor v, Tensor out) {
        return programs.target() == Target.SM_90A
                ? AttentionSm90.candidates(
                        q.dtype(),
                        inPairs(out),
                        q.size(2),
                        v.size(2),
                        programs.gpu().facts().sharedBytes())
                : List.of();
    }

    private static boolean inPairs(Tensor... results) {
        boolean inPairs = true;
        for (Tensor result : results) {
            int unit = 2 * result.dtype().bytes();
            inPairs &= result.size(2) % 2 == 0
                    && result.memory().address() % unit == 0
                    && result.stride(0) % 2 == 0
                    && result.stride(1) % 2 == 0;
        }
        return inPairs;
    }

    private void hopper(
            AttentionSm90 shape, Tensor q, Tensor k, Tensor v, Tensor keyStart, double scale, Tensor out, Tensor lse) {
        List<Object> arguments = new ArrayList<>(List.of(shape.queries(q), shape.tiles(k), shape.tiles(v)));
        HeadRows.add(arguments, out);
        HeadRows.add(arguments, lse);
        Collections.addAll(
                arguments, keyStart, q.size(0), q.size(1), q.size(1) / k.size(1), (float) (scale / Math.log(2)));
        launch(programs.get(shape, "attention_out_sm90", shape::write), shape.launch(q.size(0), q.size(1)), arguments);
    }

    /// @return an operand, or a copy of it, in bf16, with rows that begin at multiples of 16 bytes
    private Tensor operand(String name, Tensor operand) {
        boolean isReady = operand.dtype() == DType.BF16
                && operand.memory().address() % ALIGNMENT == 0
                && operand.stride(0) * DType.BF16.bytes() % ALIGNMENT == 0
                && operand.stride(1) * DType.BF16.bytes() % ALIGNMENT == 0;
        if (isReady) {
            return operand;
        }
        long rows = operand.dim(0) * operand.dim(1);
        long unit = ALIGNMENT / DType.BF16.bytes();
        long padded = (operand.dim(2) + unit - 1) / unit * unit;
        Tensor copy = programs.scratch("Attention." + name, DType.BF16, rows * padded)
                .slice(0, 0, rows * padded)
                .reshape(operand.dim(0), operand.dim(1), padded)
                .slice(2, 0, operand.dim(2));
        PackHeads pack = new PackHeads(Elements.of(operand.size(2), operand));
        List<Object> arguments = new ArrayList<>();
        HeadRows.add(arguments, operand);
        HeadRows.add(arguments, copy);
        Collections.addAll(arguments, operand.size(1), Math.toIntExact(rows), operand.size(2));
        launch(programs.get(pack, "pack_heads", pack::write), pack.launch(rows), arguments);
        return copy;
    }

    private void tensor(
            TensorAttention shape,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor keyStart,
            double scale,
            Tensor dOut,
            Tensor lse,
            Tensor statistics,
            Tensor result,
            Tensor second) {
        List<Object> arguments = new ArrayList<>();
        for (Tensor tensor : List.of(q, k, v, dOut, result, second, lse)) {
            HeadRows.add(arguments, tensor);
        }
        Collections.addAll(
                arguments,
                statistics,
                keyStart,
                q.size(0),
                q.size(1),
                q.size(1) / k.size(1),
                (float) (scale / Math.log(2)),
                (float) scale);
        String name = "attention_" + shape.kind().name().toLowerCase(Locale.ROOT) + "_bf16";
        launch(programs.get(shape, name, shape::write), shape.launch(q.size(0), result.size(1)), arguments);
    }

    private void plain(
            Kind kind,
            Elements elements,
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor keyStart,
            double scale,
            Tensor dOut,
            Tensor lse,
            Tensor statistics,
            Tensor result) {
        if (result.elements() == 0) {
            return;
        }
        PlainAttention shape = new PlainAttention(kind, elements, precision == Precision.BF16, q.size(2), v.size(2));
        List<Object> arguments = new ArrayList<>();
        for (Tensor tensor : List.of(q, k, v, dOut, result, lse)) {
            HeadRows.add(arguments, tensor);
        }
        Collections.addAll(
                arguments,
                statistics,
                keyStart,
                q.size(0),
                q.size(1),
                q.size(1) / k.size(1),
                (float) (scale / Math.log(2)),
                kind == Kind.D_VALUES ? 1f : (float) scale);
        launch(
                programs.get(shape, "attention_" + kind.name().toLowerCase(Locale.ROOT), shape::write),
                shape.launch(q.size(0), result.size(1)),
                arguments);
    }

    private void launch(PtxFunction kernel, Launch launch, List<Object> arguments) {
        programs.gpu().stream().launch(kernel, launch, arguments.toArray());
    }
}
