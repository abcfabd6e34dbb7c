package dev.wok.bench;

import dev.wok.bench.Loops.Kind;
import dev.wok.bench.Sizes.Cached;
import dev.wok.bench.Sizes.Decode;
import dev.wok.bench.Sizes.Mixture;
import dev.wok.bench.Sizes.Prompt;
import dev.wok.device.Memory;
import dev.wok.kernel.Activations;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.Backend;
import dev.wok.kernel.CachedAttention;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Packed;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Routing;
import dev.wok.kernel.Weight;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.IntStream;

/// The rows of `wok bench kernels`: what each calls, how much it has to do, and what it is held against.
///
/// @param floats kernels whose matrix products are float32
/// @param bf16 kernels whose matrix products are bfloat16
/// @param usual those of the two that are used where nobody asks for a precision
record KernelRows(Side floats, Side bf16, Side usual, Limits limits, Sizes sizes) {
    private static final int FLOAT = Float.BYTES;

    /// Neighbours of a quantized weight that share a scale.
    private static final int GROUP = 128;

    /// Kernels and what they are.
    record Side(Kernels kernels, Setup setup) {}

    /// Makes a row's work, its tensors in a memory that lasts as long as the row.
    interface Maker {
        Work make(Memory memory);
    }

    /// @return all rows by name, in their order
    SequencedMap<String, Maker> all() {
        SequencedMap<String, Maker> rows = new LinkedHashMap<>();
        DType narrow = readsBf16() ? DType.BF16 : DType.F32;
        rows.put("bf16_matmul_1024", memory -> matmul(bf16, narrow, memory, sizes.small()));
        rows.put("bf16_matmul_2048", memory -> matmul(bf16, narrow, memory, sizes.large()));
        rows.put("f32_matmul_2048", memory -> matmul(floats, DType.F32, memory, sizes.large()));
        rows.put("experts_forward", this::expertsForward);
        rows.put("experts_backward", this::expertsBackward);
        rows.put("attention_prefill", memory -> attention(memory, false));
        rows.put("attention_backward", memory -> attention(memory, true));
        rows.put("mla_decode", this::decode);
        rows.put("gqa_decode", this::cachedDecode);
        if (readsBf16()) {
            rows.put("matvec_bf16", memory -> matvec(bf16, Packed.Element.BF16, memory));
        }
        rows.putAll(quantized());
        rows.put("adamw", this::adamW);
        rows.put("rms_norm", this::rmsNorm);
        rows.put("cross_entropy_129k", this::crossEntropy);
        rows.put("cast", this::cast);
        return rows;
    }

    /// @return whether tensors that products read may hold bfloat16; the Vector API's kernels only round to it
    private boolean readsBf16() {
        return bf16.kernels().choice().backend() == Backend.X86;
    }

    /// Products of quantized weights, where machine code is written for them.
    private Map<String, Maker> quantized() {
        if (usual.kernels().choice().backend() != Backend.X86) {
            return Map.of();
        }
        SequencedMap<String, Maker> rows = new LinkedHashMap<>();
        rows.put("int8_matmul_2048", this::wholeNumbers);
        rows.put("matvec_int8", memory -> matvec(in8Bits(usual), Packed.Element.INT8, memory));
        rows.put("matvec_int4", memory -> matvec(in8Bits(usual), Packed.Element.INT4, memory));
        rows.put("matvec_fp8", memory -> matvec(floats, Packed.Element.FP8, memory));
        return rows;
    }

    /// A linear layer `[n, n]` over n tokens, a scale for each row of either.
    private Work wholeNumbers(Memory memory) {
        int n = sizes.large();
        Tensor x = floats(memory, 1, 1, n, n);
        Packed w = packed(Packed.Element.INT8, memory, n, n, n);
        Tensor y = memory.tensor(DType.F32, n, n);
        double bytes = (double) x.bytes() + w.bytes() + y.bytes();
        Side side = in8Bits(usual);
        Runnable call = () -> side.kernels().matmul().linear(x, w, y, false);
        return work(side, 2.0 * n * n * n, bytes, Work.GFLOPS, limits.products(Kind.BYTES), call);
    }

    /// A linear layer over one token: every byte of the weight is used once, as many whatever its elements.
    private Work matvec(Side side, Packed.Element element, Memory memory) {
        int rows = sizes.matvec()[0] * (Short.SIZE / element.bits());
        int columns = sizes.matvec()[1];
        Tensor x = floats(memory, 1, 1, 1, columns);
        Packed w = packed(element, memory, rows, columns, GROUP);
        Tensor y = memory.tensor(DType.F32, 1, rows);
        Runnable call = () -> side.kernels().matmul().linear(x, w, y, false);
        return moving(side, Mix.READ, 2.0 * rows * columns, w.bytes(), call);
    }

    private static Side in8Bits(Side side) {
        Setup s = side.setup();
        return new Side(side.kernels(), new Setup(s.backend(), s.instructionSet(), "int8", s.threads()));
    }

    private static Packed packed(Packed.Element element, Memory memory, int n, int k, int group) {
        Packed w = Packed.allocate(element, 0, n, k, group, Activations.INT8, memory);
        Rng rng = new Rng(2);
        IntStream.range(0, n).parallel().forEach(row -> {
            float[] values = new float[k];
            for (int p = 0; p < k; p++) {
                values[p] = (float) rng.normal((long) row * k + p);
            }
            w.put(row, values);
        });
        return w;
    }

    /// A linear layer `[n, n]` over n tokens.
    ///
    /// @param operands type of the input and the weight
    private Work matmul(Side side, DType operands, Memory memory, int n) {
        Tensor x = Numbers.fill(memory.tensor(operands, n, n), 1, 1);
        Dense w = Weight.of(Numbers.fill(memory.tensor(operands, n, n), 0.02, 2));
        Tensor y = memory.tensor(DType.F32, n, n);
        double bytes = (double) x.bytes() + w.value().bytes() + y.bytes();
        Runnable call = () -> side.kernels().matmul().linear(x, w, y, false);
        return computing(side, 2.0 * n * n * n, bytes, call);
    }

    private Work expertsForward(Memory memory) {
        ExpertsLayer layer = new ExpertsLayer(usual.kernels(), memory, sizes.experts());
        Mixture m = sizes.experts();
        double bytes = ((double) m.experts() * 3 * m.hidden() * m.inner() + 2.0 * m.tokens() * m.hidden()) * FLOAT;
        return computing(usual, layer.flops(), bytes, layer::forward);
    }

    private Work expertsBackward(Memory memory) {
        ExpertsLayer layer = new ExpertsLayer(usual.kernels(), memory, sizes.experts());
        Mixture m = sizes.experts();
        layer.forward();
        // Weights once, their gradients read and written; the input, the output's gradient and the input's.
        double bytes = ((double) m.experts() * 9 * m.hidden() * m.inner() + 3.0 * m.tokens() * m.hidden()) * FLOAT;
        return computing(usual, 2 * layer.flops(), bytes, layer::backward);
    }

    private Work attention(Memory memory, boolean backward) {
        Prompt p = sizes.attention();
        int tokens = p.tokens();
        int heads = p.heads();
        Tensor q = floats(memory, 1, 1, tokens, heads, p.qkDim());
        Tensor k = floats(memory, 1, 2, tokens, heads, p.qkDim());
        Tensor v = floats(memory, 1, 3, tokens, heads, p.vDim());
        Tensor keyStart = memory.tensor(DType.I32, tokens);
        Tensor out = memory.tensor(DType.F32, tokens, heads, p.vDim());
        Tensor lse = memory.tensor(DType.F32, tokens, heads);
        double scale = 1 / Math.sqrt(p.qkDim());
        double pairs = heads * (tokens * (tokens + 1.0) / 2);
        double flops = 2 * pairs * (p.qkDim() + p.vDim());
        double once = (double) tokens * heads * FLOAT;
        Kernels kernels = usual.kernels();
        if (!backward) {
            double bytes = once * 2 * (p.qkDim() + p.vDim());
            return computing(
                    usual, flops, bytes, () -> kernels.attention().forward(q, k, v, keyStart, scale, out, lse));
        }
        kernels.attention().forward(q, k, v, keyStart, scale, out, lse);
        Tensor dOut = floats(memory, 1, 4, tokens, heads, p.vDim());
        Tensor dq = memory.tensor(DType.F32, q.shape());
        Tensor dk = memory.tensor(DType.F32, k.shape());
        Tensor dv = memory.tensor(DType.F32, v.shape());
        double bytes = once * 4 * (p.qkDim() + p.vDim());
        return computing(
                usual,
                2.5 * flops,
                bytes,
                () -> kernels.attention().backward(q, k, v, keyStart, scale, out, lse, dOut, dq, dk, dv));
    }

    /// A token through the attention of several layers, each with its own cache.
    private Work decode(Memory memory) {
        Decode d = sizes.decode();
        Tensor q = floats(memory, 1, 1, 1, d.heads(), d.nopeDim() + d.ropeDim());
        List<Dense> kvB = new ArrayList<>();
        for (int layer = 0; layer < d.layers(); layer++) {
            kvB.add(Weight.of(stored(memory, 0.02, 2, d.heads() * (d.nopeDim() + d.vDim()), d.rank())));
        }
        Tensor cache = stored(memory, 1, 3, d.layers(), 1, d.keys(), d.rank() + d.ropeDim());
        Tensor positions = Numbers.below(memory.tensor(DType.I32, 1), 1);
        positions.setInt(0, d.keys() - 1);
        Tensor out = memory.tensor(DType.F32, 1, d.heads(), d.vDim());
        double scale = 1 / Math.sqrt(d.nopeDim() + d.ropeDim());
        double attending = 2.0 * d.heads() * (2 * d.rank() + d.ropeDim()) * d.keys();
        double absorbing = 2.0 * d.heads() * (d.nopeDim() + d.vDim()) * d.rank();
        double flops = d.layers() * (attending + absorbing);
        double bytes =
                cache.bytes() + (double) d.layers() * kvB.getFirst().value().bytes();
        Kernels kernels = usual.kernels();
        PageTable table = PageTable.onePage(1);
        Limit compute = limits.products(Kind.of(usual.kernels().precision()));
        Limit read = limits.memory(Mix.READ);
        Limit slower = new Limit(
                "the slower of: %s; %s, of cache and weights".formatted(compute.text(), read.text()),
                () -> Math.min(compute.measure(), read.measure() * flops / bytes));
        return work(usual, flops, bytes, Work.GFLOPS, slower, () -> {
            for (int layer = 0; layer < d.layers(); layer++) {
                kernels.latentAttention()
                        .forward(q, kvB.get(layer), cache.select(0, layer), table, positions, scale, out);
            }
        });
    }

    /// A token through the attention of several layers, each with keys and values of its own.
    private Work cachedDecode(Memory memory) {
        Cached c = sizes.cached();
        Tensor q = floats(memory, 1, 1, 1, c.heads(), c.dim());
        Tensor keys = stored(memory, 1, 2, c.layers(), 1, c.keys(), c.kvHeads(), c.dim());
        Tensor values = stored(memory, 1, 3, c.layers(), 1, c.keys(), c.kvHeads(), c.dim());
        Tensor positions = memory.tensor(DType.I32, 1);
        positions.setInt(0, c.keys() - 1);
        Tensor out = memory.tensor(DType.F32, 1, c.heads(), c.dim());
        double scale = 1 / Math.sqrt(c.dim());
        double flops = 4.0 * c.layers() * c.heads() * c.dim() * c.keys();
        CachedAttention attention = usual.kernels().cachedAttention();
        PageTable table = PageTable.onePage(1);
        return moving(usual, Mix.READ, flops, (double) keys.bytes() + values.bytes(), () -> {
            for (int layer = 0; layer < c.layers(); layer++) {
                attention.forward(q, keys.select(0, layer), values.select(0, layer), table, positions, scale, out);
            }
        });
    }

    private Work adamW(Memory memory) {
        int n = sizes.elements();
        Tensor parameter = floats(memory, 0.02, 1, n);
        Tensor gradient = floats(memory, 1e-3, 2, n);
        Tensor mean = floats(memory, 1e-4, 3, n);
        Tensor meanSquare = memory.tensor(DType.F32, n);
        Tensor normAndClip = memory.tensor(DType.F32, 2);
        normAndClip.set(0, 1);
        normAndClip.set(1, 1);
        AdamW.Step step = new AdamW.Step(1e-5, 0.9, 0.95, 1e-8, 0.1, 10);
        AdamW adamW = floats.kernels().adamW();
        return moving(
                floats,
                Mix.OPTIMIZE,
                15.0 * n,
                7.0 * n * FLOAT,
                () -> adamW.update(step, parameter, gradient, mean, meanSquare, normAndClip));
    }

    private Work rmsNorm(Memory memory) {
        int tokens = sizes.norm()[0];
        int width = sizes.norm()[1];
        Tensor x = floats(memory, 1, 1, tokens, width);
        Tensor weight = floats(memory, 1, 2, width);
        Tensor y = memory.tensor(DType.F32, tokens, width);
        Tensor rstd = memory.tensor(DType.F32, tokens);
        double elements = (double) tokens * width;
        return moving(
                floats,
                Mix.COPY,
                4 * elements,
                2 * elements * FLOAT,
                () -> floats.kernels().rmsNorm().forward(x, weight, 1e-6, y, rstd));
    }

    /// From float32 to bfloat16.
    private Work cast(Memory memory) {
        int n = sizes.elements();
        Tensor from = floats(memory, 1, 1, n);
        Tensor to = memory.tensor(DType.BF16, n);
        double bytes = (double) n * (FLOAT + DType.BF16.bytes());
        return moving(
                floats,
                Mix.NARROW,
                n,
                bytes,
                () -> floats.kernels().elementwise().cast(from, to));
    }

    /// The loss and its gradient. A row of logits stays in a core's cache between its passes, so it is read and written
    /// once.
    private Work crossEntropy(Memory memory) {
        int tokens = sizes.loss()[0];
        int vocabulary = sizes.loss()[1];
        Tensor logits = floats(memory, 3, 1, tokens, vocabulary);
        Tensor targets = Numbers.below(memory.tensor(DType.I32, tokens), vocabulary);
        Tensor losses = memory.tensor(DType.F32, tokens);
        double elements = (double) tokens * vocabulary;
        return moving(
                floats,
                Mix.UPDATE,
                5 * elements,
                2 * elements * FLOAT,
                () -> floats.kernels().crossEntropy().forwardBackward(logits, targets, 1.0 / tokens, losses));
    }

    private static Tensor floats(Memory memory, double scale, long seed, long... shape) {
        return Numbers.fill(memory.tensor(DType.F32, shape), scale, seed);
    }

    /// Numbers as a model keeps them for the usual precision.
    private Tensor stored(Memory memory, double scale, long seed, long... shape) {
        DType dtype = usual.kernels().precision() == Precision.BF16 ? DType.BF16 : DType.F32;
        return Numbers.fill(memory.tensor(dtype, shape), scale, seed);
    }

    private Work computing(Side side, double flops, double bytes, Runnable call) {
        return work(
                side,
                flops,
                bytes,
                Work.GFLOPS,
                limits.products(Kind.of(side.kernels().precision())),
                call);
    }

    private Work moving(Side side, Mix mix, double flops, double bytes, Runnable call) {
        return work(side, flops, bytes, Work.GBS, limits.memory(mix), call);
    }

    private Work work(Side side, double flops, double bytes, String unit, Limit limit, Runnable call) {
        Runnable done = () -> {
            call.run();
            side.kernels().stream().synchronize();
        };
        return new Work(flops, bytes, unit, limit, done, side.setup());
    }

    /// A layer of routed experts with what its passes need.
    private static final class ExpertsLayer {
        private final Kernels kernels;
        private final Mixture sizes;
        private final Routing.Plan plan;
        private final Tensor x;
        private final Dense gateUp;
        private final Dense down;
        private final Tensor weights;
        private final Tensor gateUpOut;
        private final Tensor activated;
        private final Tensor scratch;
        private final Tensor y;
        private final Tensor dActivated;
        private final Tensor dGateUpOut;
        private final Tensor dWeights;
        private final Tensor dGateUp;
        private final Tensor dDown;

        ExpertsLayer(Kernels kernels, Memory memory, Mixture m) {
            this.kernels = kernels;
            sizes = m;
            Tensor chosen = memory.tensor(DType.I32, m.tokens(), m.topK());
            SkewedLoads.choose(m.experts(), chosen);
            plan = new Routing.Plan(
                    memory.tensor(DType.I32, m.experts() + 1),
                    memory.tensor(DType.I32, m.rows()),
                    memory.tensor(DType.I32, m.rows()));
            kernels.routing().plan(chosen, plan, memory.tensor(DType.I32, m.experts()));
            x = floats(memory, 1, 1, m.tokens(), m.hidden());
            gateUp = Weight.of(floats(memory, 0.02, 2, m.experts(), 2 * m.inner(), m.hidden()));
            down = Weight.of(floats(memory, 0.02, 3, m.experts(), m.hidden(), m.inner()));
            weights = floats(memory, 0.25, 4, m.tokens(), m.topK());
            gateUpOut = memory.tensor(DType.F32, m.rows(), 2 * m.inner());
            activated = memory.tensor(DType.F32, m.rows(), m.inner());
            scratch = memory.tensor(DType.F32, m.rows(), m.hidden());
            y = memory.tensor(DType.F32, m.tokens(), m.hidden());
            dActivated = memory.tensor(DType.F32, m.rows(), m.inner());
            dGateUpOut = memory.tensor(DType.F32, m.rows(), 2 * m.inner());
            dWeights = memory.tensor(DType.F32, m.tokens(), m.topK());
            dGateUp = memory.tensor(DType.F32, gateUp.value().shape());
            dDown = memory.tensor(DType.F32, down.value().shape());
        }

        /// @return of the forward pass
        double flops() {
            return 6.0 * sizes.rows() * sizes.hidden() * sizes.inner();
        }

        void forward() {
            kernels.experts().gateUp(x, plan, gateUp, gateUpOut, activated);
            kernels.experts().down(activated, plan, down, weights, scratch, y);
        }

        /// The output's gradient is taken to be the input; what comes out is not looked at.
        void backward() {
            kernels.experts().downBackward(x, plan, down, weights, activated, dActivated, dWeights);
            kernels.experts().downWeightGradient(x, plan, weights, activated, dDown);
            kernels.swiglu().backward(gateUpOut, dActivated, dGateUpOut);
            kernels.experts().gateUpBackward(dGateUpOut, plan, gateUp, scratch, y);
            kernels.experts().gateUpWeightGradient(dGateUpOut, plan, x, dGateUp);
        }
    }
}
