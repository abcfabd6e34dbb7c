package dev.wok.kernel.ptx;

import dev.wok.device.Memory;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Activations;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Packed.Element;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Routing.Plan;
import dev.wok.kernel.ptx.GroupedArguments.Problem;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// Everything that orders threads, copies and tensor cores is needed: see [LeftOut].
class BrokenKernelsTest {
    private static Tensor here(Memory memory, Tensor host) {
        Tensor here = memory.tensor(host.dtype(), host.shape());
        here.copyFrom(host);
        return here;
    }

    private static Tensor normal(Memory memory, DType dtype, long... shape) {
        return here(memory, Tensors.normal(Seeds.rng("left out"), dtype, shape));
    }

    private static Tensor integers(Memory memory, int... values) {
        return here(memory, Tensor.of(values));
    }

    private static final String TURNS = "turns decide when a group multiplies, not what";

    private static final String LAST_TILE = "nobody waits for the stage of the last tile";

    private static final String LATER_FENCE = "a later fence orders the same writes before anything reads them";

    private static final String ENDS = "what is on its way comes into this block's memory, and not into the next one's";

    private static final String VOTE = "a vote: the next barrier orders";
    private static final String APART = "nothing drives lanes apart here; see the other products";
    private static final String NEXT_VOTE = "the next numbers' vote orders too";
    private static final String TOGETHER = "the first tile's copies would be awaited together with these";
    private static final String WAIT_ALL = "cp.async.wait_all; #1";

    // ------------------------------------------------------------------------------------------------------ experts

    /// An expert with so many rows, another one with none.
    private static Problem problem(Memory memory, ExpertProduct what, int rows, int width, int depth) {
        Tensor slots = integers(memory, IntStream.range(0, rows).toArray());
        Plan plan = new Plan(integers(memory, 0, rows, rows), slots, slots);
        boolean isGradient = what.isGradient();
        int height = isGradient ? 64 : 0;
        Tensor left = normal(memory, DType.BF16, rows, isGradient ? height : depth);
        long wide = what == ExpertProduct.GATE_UP ? 2L * width : width;
        Tensor right = isGradient
                ? normal(memory, DType.BF16, rows, width)
                : what.isRightAcross()
                        ? normal(memory, DType.BF16, 2, depth, width)
                        : normal(memory, DType.BF16, 2, wide, depth);
        Tensor out = isGradient
                ? here(memory, Tensors.zeros(DType.F32, 2, height, width))
                : memory.tensor(DType.F32, rows, wide);
        boolean hasExtra = what == ExpertProduct.GATE_UP || what == ExpertProduct.DOWN_BACKWARD;
        Tensor extra = hasExtra ? normal(memory, DType.F32, rows, width) : null;
        boolean isBackward = what == ExpertProduct.DOWN_BACKWARD;
        Tensor factors = isBackward ? normal(memory, DType.F32, rows) : null;
        Tensor parts = isBackward ? memory.tensor(DType.F32, rows, Math.ceilDiv(width, GroupedMma.WARP_COLUMNS)) : null;
        return new Problem(
                what, plan, left, right, out, extra, factors, parts, 1, height, width, isGradient ? 0 : depth);
    }

    private static LeftOut mma(ExpertProduct what) {
        Elements out = new Elements(DType.F32, 2);
        GroupedMma kernel = new GroupedMma(what, 64, 1, 3, 1, out);
        return new LeftOut("sm_80 " + what, "grouped_mma", Target.SM_80, (programs, memory) -> {
                    int depth = 5 * 64;
                    kernel.launch(programs, problem(memory, what, what.isGradient() ? depth : 20, 72, depth));
                })
                .but(WAIT_ALL, ENDS);
    }

    /// A block takes several tiles, one after the other: of eight tiles of rows there is one.
    private static LeftOut wgmma(ExpertProduct what, int tiles) {
        Elements out = new Elements(DType.F32, 2);
        GroupedWgmma kernel = new GroupedWgmma(what, 64, 1, 6, 2, 1, out);
        boolean isGradient = what.isGradient();
        LeftOut test = new LeftOut("sm_90a " + what, "grouped_wgmma", Target.SM_90A, (programs, memory) -> {
            int width = tiles * (what == ExpertProduct.GATE_UP ? 32 : 64);
            int depth = 8 * 64;
            kernel.launch(programs, problem(memory, what, isGradient ? depth : 20, width, depth), isGradient ? 1 : 8);
        });
        return isGradient ? test : test.butBarriersForCopies();
    }

    @TestFactory
    Stream<DynamicTest> experts() {
        return Stream.of(
                        mma(ExpertProduct.GATE_UP),
                        mma(ExpertProduct.DOWN_BACKWARD),
                        mma(ExpertProduct.GATE_UP_GRADIENT),
                        wgmma(ExpertProduct.GATE_UP, 2).but("bar.warp.sync -1; #1", APART),
                        wgmma(ExpertProduct.DOWN_BACKWARD, 10),
                        wgmma(ExpertProduct.GATE_UP_GRADIENT, 2).but("bar.warp.sync -1; #1", APART))
                .map(LeftOut::test);
    }

    // -------------------------------------------------------------------------------------------------------- pages

    private static LeftOut pages(String kernel, Target target, boolean isLatent, DType dtype) {
        boolean isHopper = target == Target.SM_90A;
        String vote = "bar.red.or.pred %is_broken, " + (isHopper ? "1, 128, " : "0, ") + "%is_broken; #1";
        String name = "%s, %s, %s".formatted(kernel, isLatent ? "latent" : "heads", dtype);
        return new LeftOut(name, kernel, target, (programs, memory) -> {
                    int pages = 5;
                    int rows = 80;
                    Tensor keys = isLatent
                            ? normal(memory, dtype, pages, rows, 1, 136)
                            : normal(memory, dtype, pages, rows, 2, 24);
                    Tensor values = isLatent ? keys.slice(3, 0, 128) : normal(memory, dtype, pages, rows, 2, 24);
                    Tensor q = normal(memory, DType.F32, 2, 6, keys.dim(3));
                    PageTable table = new PageTable(
                            integers(memory, 0, 2), integers(memory, 3, 1, 4, 0).reshape(1, 4));
                    Tensor out = memory.tensor(DType.F32, 2, 6, values.dim(3));
                    new PagedAttention(programs, Precision.BF16)
                            .attend(q, keys, values, table, integers(memory, 300, 12), 0.2, out);
                })
                .but(vote, VOTE);
    }

    @TestFactory
    Stream<DynamicTest> pages() {
        return Stream.of(
                        pages("paged_sm80", Target.SM_80, false, DType.BF16).but(WAIT_ALL, ENDS),
                        pages("paged_sm80", Target.SM_80, true, DType.BF16).but(WAIT_ALL, ENDS),
                        pages("paged_sm80", Target.SM_80, true, DType.F32),
                        pages("paged_sm90", Target.SM_90A, true, DType.BF16),
                        pages("paged_sm90", Target.SM_90A, true, DType.F32))
                .map(LeftOut::test);
    }

    // ------------------------------------------------------------------------------------------------------- packed

    /// Of four experts one has all rows, so that its blocks take several tiles of them.
    private static LeftOut packed(String kernel, Element element, Activations activations, int rowsEach, int k) {
        String name = "%s, %s, %s".formatted(kernel, element, activations);
        return new LeftOut(name, kernel, Target.SM_80, (programs, memory) -> {
            int n = 24;
            int rows = 4 * rowsEach;
            Tensor w = Tensors.normal(Seeds.rng("packed"), DType.F32, 4, n, k);
            Packed packed = Packed.of(w, element, 64, activations, memory);
            Tensor slots = integers(memory, IntStream.range(0, rows).toArray());
            Plan plan = new Plan(integers(memory, 0, rows, rows, rows, rows), slots, slots);
            Tensor y = memory.tensor(DType.F32, rows, n);
            new PackedProduct(programs, Precision.BF16)
                    .multiplyGrouped(normal(memory, DType.F32, rows, k), true, plan, packed, y);
        });
    }

    @TestFactory
    Stream<DynamicTest> packed() {
        return Stream.of(
                        packed("packed_tile", Element.INT4, Activations.FLOAT, 1, 1100),
                        packed("packed_tile", Element.INT8, Activations.INT8, 1, 1100),
                        packed("packed_block", Element.INT4, Activations.FLOAT, 65, 200),
                        packed("packed_block", Element.INT8, Activations.INT8, 65, 200),
                        packed("packed_block", Element.BF16, Activations.FLOAT, 65, 200))
                .map(LeftOut::test);
    }

    // ---------------------------------------------------------------------------------------------------- attention

    /// Two heads of one of keys, two documents, and numbers that are none where not everybody sees them.
    private static LeftOut attention(String kernel, Target target, int tokens, int dim) {
        return new LeftOut(kernel, kernel, target, (programs, memory) -> {
            AttentionPtx attention = new AttentionPtx(programs, Precision.BF16);
            Tensor q = withInfinity(normal(memory, DType.BF16, tokens, 2, dim));
            Tensor k = withInfinity(normal(memory, DType.BF16, tokens, 1, dim));
            Tensor v = withInfinity(normal(memory, DType.BF16, tokens, 1, dim));
            Tensor starts = integers(
                    memory, IntStream.range(0, tokens).map(t -> t < 21 ? 0 : 21).toArray());
            Tensor out = normal(memory, DType.BF16, tokens, 2, dim);
            Tensor lse = normal(memory, DType.BF16, tokens, 2);
            if (kernel.contains("_out_")) {
                attention.forward(q, k, v, starts, 0.2, out, lse);
                return;
            }
            Tensor dOut = withInfinity(normal(memory, DType.BF16, tokens, 2, dim));
            Tensor dq = memory.tensor(DType.BF16, q.shape());
            Tensor dk = memory.tensor(DType.BF16, k.shape());
            Tensor dv = memory.tensor(DType.BF16, v.shape());
            attention.backward(q, k, v, starts, 0.2, out, lse, dOut, dq, dk, dv);
        });
    }

    private static LeftOut tiles(String kernel) {
        return attention(kernel, Target.SM_80, 100, 16)
                .but("cp.async.commit_group; #1", TOGETHER)
                .but(WAIT_ALL, ENDS);
    }

    private static Tensor withInfinity(Tensor tensor) {
        tensor.set(tensor.elements() - 1, Double.POSITIVE_INFINITY);
        return tensor;
    }

    @TestFactory
    Stream<DynamicTest> attention() {
        return Stream.of(
                        tiles("attention_out_bf16"),
                        tiles("attention_d_keys_bf16").but("bar.sync 0, 128; #2", NEXT_VOTE),
                        tiles("attention_d_queries_bf16"),
                        attention("attention_out_sm90", Target.SM_90A, 900, 16)
                                .but("@%is_first_group bar.sync %turn, 256; #1", TURNS)
                                .but("@%is_first_lane mbarrier.arrive.shared::cta.b64 _, [%free_3]; #1", LAST_TILE)
                                .but("bar.red.or.pred %p_33, 1, 256, %p_33; #1", NEXT_VOTE)
                                .but("bar.sync 1, 256; #1", NEXT_VOTE)
                                .but("bar.sync 1, 256; #2", NEXT_VOTE)
                                .but("fence.proxy.async; #2", LATER_FENCE)
                                .but("wgmma.fence.sync.aligned; #3", LATER_FENCE)
                                .butBarriersForCopies())
                .map(LeftOut::test);
    }

    // -------------------------------------------------------------------------------------------- sorting and sums

    private static LeftOut sort(int slots, int experts) {
        return new LeftOut(
                "%d slots of %d experts".formatted(slots, experts),
                List.of("expert_counts", "expert_starts", "expert_sort"),
                Target.SM_80,
                (programs, memory) -> {
                    Tensor chosen = integers(
                            memory,
                            IntStream.range(0, slots).map(i -> i * 7 % 5).toArray());
                    Plan plan = new Plan(
                            memory.tensor(DType.I32, experts + 1),
                            memory.tensor(DType.I32, slots),
                            memory.tensor(DType.I32, slots));
                    new ExpertSort(experts).run(programs, chosen, plan, integers(memory, new int[experts]));
                },
                Map.of());
    }

    private static LeftOut sortTokens(int tokens) {
        return new LeftOut("sort_tokens " + tokens, "sort_tokens", Target.SM_80, (programs, memory) -> {
            Tensor ids = integers(
                    memory, IntStream.range(0, tokens).map(i -> i * 7 % 100).toArray());
            SortTokens.launch(programs, ids, 90);
        });
    }

    private static LeftOut columns(int tokens) {
        return new LeftOut(
                "column sums of %d tokens".formatted(tokens),
                "bias_gradient",
                Target.SM_80,
                (programs, memory) -> new ElementwisePtx(programs)
                        .sumRows(normal(memory, DType.F32, tokens, 40), normal(memory, DType.F32, 40)));
    }

    @TestFactory
    Stream<DynamicTest> sortingAndSums() {
        return Stream.of(sort(600, 600), sort(4200, 600), sortTokens(70), sortTokens(5000), columns(20), columns(600))
                .map(LeftOut::test);
    }
}
