package dev.wok.kernel.ptx;

import dev.wok.device.GpuFacts;
import dev.wok.device.GpuStream;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Embedding;
import dev.wok.kernel.Experts;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Routing;
import dev.wok.kernel.Swiglu;
import dev.wok.kernel.ptx.GroupedArguments.Problem;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// The experts' products over rows whose experts the GPU alone knows: as many blocks as the rows could need however
/// they are spread, and each finds its expert in the plan's offsets. In float32 by [GroupedFma]; in bf16 by
/// [GroupedWgmma] where the chip has it, else by [GroupedMma]; with packed weights by [PackedProduct].
///
/// A sum takes its terms in the same order whatever else is in the batch. Rows that have no expert are left as they
/// are. Where tokens have any number of rows, they are gathered first. A slot or row outside of its table gives NaN
/// where it would be used: in the row's results, in its token's, in
/// its expert's gradient; a token's weight has no gradient then.
final class ExpertsPtx extends Experts {
    /// What the choice of a kernel depends on; the rows' experts are not known.
    private record Key(
            ExpertProduct what,
            Target target,
            Elements out,
            int topK,
            int rows,
            int experts,
            int height,
            int width,
            int depth) {
        @Override
        public String toString() {
            return "%s of %s by %d, %d rows, top %d of %d, %dx%dx%d"
                    .formatted(what, out.dtype(), out.count(), rows, topK, experts, height, width, depth);
        }
    }

    /// Choices of a token, where rows are taken as they lie.
    private static final int NO_TOKENS = 1;

    private final Programs programs;
    private final Precision precision;
    private final Swiglu swiglu;
    private final Embedding embedding;
    private final Map<Key, GroupedKernel> chosen = new ConcurrentHashMap<>();
    private final PackedProduct packed;

    ExpertsPtx(Programs programs, Precision precision) {
        this.programs = programs;
        this.precision = precision;
        swiglu = new SwigluPtx(programs);
        embedding = new EmbeddingPtx(programs);
        packed = new PackedProduct(programs, precision);
    }

    private GpuStream stream() {
        return programs.gpu().stream();
    }

    private boolean rounds() {
        return precision == Precision.BF16;
    }

    private Tensor weight(Dense weight) {
        return rounds() ? programs.forms().bf16(weight) : weight.value();
    }

    private Tensor operand(String name, Tensor value) {
        return rounds() ? Bf16Operands.of(programs, name, value) : value;
    }

    private void multiply(Problem p) {
        if (rounds()) {
            boolean isEmpty = p.right().elements() == 0;
            Target target = isEmpty ? Target.SM_80 : programs.target();
            Elements out = out(2, p);
            Key key = new Key(
                    p.what(),
                    target,
                    out,
                    p.topK(),
                    ProductChoices.rows(p.rows()),
                    p.experts(),
                    p.height(),
                    p.width(),
                    p.depth());
            chosen.computeIfAbsent(key, _ -> choose(key, p)).launch(programs, p);
        } else {
            boolean isAcross = p.what().isRightAcross();
            GroupedFma kernel = GroupedFma.choose(
                    p.what(),
                    p.rowsEach(),
                    p.topK(),
                    Elements.of(p.what().isGradient() ? p.height() : p.depth(), p.left()),
                    Elements.of(isAcross ? p.width() : p.depth(), p.right()),
                    out(Elements.WIDE, p));
            p.launch(stream(), programs.get(kernel, "grouped_fma", kernel::write), kernel.launch(p));
        }
    }

    private GroupedKernel choose(Key key, Problem p) {
        GpuFacts facts = programs.gpu().facts();
        return programs.choose(
                "experts' product " + key,
                GroupedKernel.candidates(key.target, facts, key.what, key.topK, key.out),
                kernel -> kernel.cost(facts, p),
                memory -> {
                    Problem elsewhere = p.into(memory);
                    return kernel -> kernel.launch(programs, elsewhere);
                });
    }

    private static Elements out(int most, Problem p) {
        Tensor extra = p.extra();
        return extra == null ? Elements.of(most, p.width(), p.out()) : Elements.of(most, p.width(), p.out(), extra);
    }

    private static int topK(Routing.Plan plan, Tensor tokens) {
        return plan.rowSlot().size(0) / tokens.size(0);
    }

    /// Tokens of which each has as many rows.
    private record Even(Tensor tokens, Routing.Plan plan) {
        int topK() {
            return ExpertsPtx.topK(plan, tokens);
        }
    }

    /// @return the tokens, or one for each row where they have any number of rows: until this is asked again
    private Even even(Tensor tokens, Routing.Plan plan) {
        Tensor rowToken = plan.rowToken();
        if (rowToken == null) {
            return new Even(tokens, plan);
        }
        Tensor rows = AlignedRows.scratch(programs, "Experts.tokens", tokens.dtype(), rowToken.dim(0), tokens.dim(1));
        embedding.forward(rowToken, tokens, rows);
        return new Even(rows, new Routing.Plan(plan.offsets(), plan.rowSlot(), plan.slotRow()));
    }

    @Override
    protected void join(Tensor rows, Tensor slotRow, @Nullable Tensor factors, Tensor y) {
        Elements elements = Elements.of(y.size(1), rows, y);
        CombineRows kernel = new CombineRows(elements, factors != null);
        stream()
                .launch(
                        programs.get(kernel, "combine_rows", kernel::write),
                        Grid.rows(y.size(0), y.size(1), elements.count()),
                        rows,
                        Elements.rowBytes(rows),
                        y,
                        Elements.rowBytes(y),
                        factors == null ? (Object) 0L : factors,
                        slotRow,
                        slotRow.size(0) / y.size(0),
                        y.size(0),
                        y.size(1));
    }

    @Override
    protected void gatherGateUp(Tensor x, Routing.Plan plan, Dense weight, Tensor gateUp, Tensor activated) {
        Even even = even(x, plan);
        multiply(new Problem(
                ExpertProduct.GATE_UP,
                even.plan,
                operand("Experts.x", even.tokens),
                weight(weight),
                gateUp,
                activated,
                null,
                null,
                even.topK(),
                0,
                activated.size(1),
                x.size(1)));
    }

    @Override
    protected void gatherGateUp(Tensor x, Routing.Plan plan, Packed weight, Tensor gateUp, Tensor activated) {
        Even even = even(x, plan);
        packed.multiplyGrouped(even.tokens, true, even.plan, weight, gateUp);
        swiglu.forward(gateUp, activated);
    }

    @Override
    protected void multiplyDown(Tensor activated, Routing.Plan plan, Dense weight, Tensor rows) {
        multiply(new Problem(
                ExpertProduct.DOWN,
                plan,
                operand("Experts.activated", activated),
                weight(weight),
                rows,
                null,
                null,
                null,
                NO_TOKENS,
                0,
                rows.size(1),
                activated.size(1)));
    }

    @Override
    protected void multiplyDown(Tensor activated, Routing.Plan plan, Packed weight, Tensor rows) {
        packed.multiplyGrouped(activated, false, plan, weight, rows);
    }

    @Override
    protected void downGradient(
            Tensor dy,
            Routing.Plan plan,
            Dense weight,
            Tensor weights,
            Tensor activated,
            Tensor dActivated,
            Tensor dWeights) {
        int rows = activated.size(0);
        int inner = activated.size(1);
        int partsEach = Math.ceilDiv(inner, rounds() ? GroupedMma.WARP_COLUMNS : GroupedFma.PART_COLUMNS);
        Tensor parts = programs.scratch("Experts.dots", DType.F32, (long) rows * partsEach);
        Even even = even(dy, plan);
        multiply(new Problem(
                ExpertProduct.DOWN_BACKWARD,
                even.plan,
                operand("Experts.dy", even.tokens),
                weight(weight),
                dActivated,
                activated,
                weights,
                parts,
                even.topK(),
                0,
                inner,
                dy.size(1)));
        AddParts kernel = new AddParts(new Elements(dWeights.dtype(), 1));
        stream()
                .launch(
                        programs.get(kernel, "add_parts", kernel::write),
                        kernel.launch(rows),
                        parts,
                        plan.rowSlot(),
                        dWeights,
                        rows,
                        partsEach);
    }

    @Override
    protected void downWeights(Tensor dy, Routing.Plan plan, Tensor weights, Tensor activated, Tensor dWeight) {
        Even even = even(dy, plan);
        DType dtype = rounds() ? DType.BF16 : DType.F32;
        Tensor slopes = AlignedRows.scratch(programs, "Experts.weighted", dtype, activated.dim(0), dy.dim(1));
        if (slopes.elements() == 0) {
            return;
        }
        GatherRows.launch(programs, even.tokens, even.plan, weights, slopes);
        multiply(new Problem(
                ExpertProduct.DOWN_GRADIENT,
                even.plan,
                slopes,
                operand("Experts.activated", activated),
                dWeight,
                null,
                null,
                null,
                weights.size(1),
                dy.size(1),
                activated.size(1),
                0));
    }

    @Override
    protected void multiplyGateUp(Tensor dGateUp, Routing.Plan plan, Dense weight, Tensor rows) {
        multiply(new Problem(
                ExpertProduct.GATE_UP_BACKWARD,
                plan,
                operand("Experts.dGateUp", dGateUp),
                weight(weight),
                rows,
                null,
                null,
                null,
                NO_TOKENS,
                0,
                rows.size(1),
                dGateUp.size(1)));
    }

    @Override
    protected void gateUpWeights(Tensor dGateUp, Routing.Plan plan, Tensor x, Tensor dWeight) {
        if (x.elements() == 0) {
            return;
        }
        Even even = even(x, plan);
        multiply(new Problem(
                ExpertProduct.GATE_UP_GRADIENT,
                even.plan,
                operand("Experts.dGateUp", dGateUp),
                operand("Experts.x", even.tokens),
                dWeight,
                null,
                null,
                null,
                even.topK(),
                dGateUp.size(1),
                x.size(1),
                0));
    }
}
