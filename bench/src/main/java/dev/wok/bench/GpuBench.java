package dev.wok.bench;

import dev.wok.bench.GpuSizes.Texts;
import dev.wok.bench.KernelRun.Ceiling;
import dev.wok.bench.Sizes.Mixture;
import dev.wok.bench.Sizes.Prompt;
import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Gpu;
import dev.wok.device.Memory;
import dev.wok.kernel.Activations;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Explanation;
import dev.wok.kernel.Fp8Matmul;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Packed;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Routing;
import dev.wok.kernel.Weight;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.IntStream;

/// Single kernels of a GPU, each beside the limit that it works against: what the tensor cores reach
/// in registers, or what a copy reaches in memory. Times are the GPU's own, between two events; a
/// limit is measured before and after.
final class GpuBench {
    private static final int FLOAT = Float.BYTES;
    private static final String TFLOPS = "TFLOP/s";

    /// Rows of a page of the cache.
    private static final int PAGE = 64;

    private final Gpu gpu;
    private final Kernels kernels;
    private final GpuSizes sizes;
    private final GpuLimits limits;
    private final boolean fills;

    /// @param limits may stay unused
    /// @param fills whether what kernels read has values: where nothing runs, drawing them is most of the time
    private GpuBench(Gpu gpu, Kernels kernels, GpuSizes sizes, GpuLimits limits, boolean fills) {
        this.gpu = gpu;
        this.kernels = kernels;
        this.sizes = sizes;
        this.limits = limits;
        this.fills = fills;
    }

    static Setup setup(Gpu gpu) {
        return new Setup("ptx", gpu.target(), Precision.BF16.text(), gpu.facts().multiprocessors());
    }

    /// @param only the names of rows that are wanted, or none for all
    static KernelRun run(Gpu gpu, List<String> only, GpuSizes sizes, Progress progress) {
        try (GpuLimits limits = new GpuLimits(gpu, sizes)) {
            Kernels kernels = Kernels.on(gpu.stream(), Kernels.fastest(gpu), Precision.BF16);
            GpuBench bench = new GpuBench(gpu, kernels, sizes, limits, true);
            SequencedMap<String, Maker> makers = bench.all();
            only.forEach(name -> bench.maker("--only", name));
            progress.say(
                    "%s: %s".formatted(gpu.describe(), bench.kernels.choice().reason()));
            List<Row> rows = new ArrayList<>();
            List<String> names = makers.keySet().stream()
                    .filter(name -> only.isEmpty() || only.contains(name))
                    .toList();
            try (Progress.Task task = progress.start("measuring kernels", names.size(), "rows")) {
                for (Map.Entry<String, Maker> maker : makers.entrySet()) {
                    if (names.contains(maker.getKey())) {
                        task.detail(maker.getKey());
                        try (Memory own = gpu.memory()) {
                            rows.add(bench.measure(
                                    maker.getKey(), maker.getValue().make(own)));
                        }
                        task.advance(1);
                    }
                }
            }
            double copied = limits.copy().best();
            return new KernelRun(
                    gpu.describe(),
                    List.copyOf(rows),
                    copied,
                    copied,
                    List.of(new Ceiling("bf16", 1e3 * limits.compute().best())));
        }
    }

    /// @return how the kernels of a row come about
    static List<Explanation> explain(Gpu gpu, String row, GpuSizes sizes) {
        if (gpu instanceof EmulatedGpu emulated) {
            emulated.idle();
        }
        try (GpuLimits limits = new GpuLimits(gpu, sizes);
                Memory own = gpu.memory()) {
            return Explanation.of(gpu, Precision.BF16, kernels -> {
                GpuBench bench = new GpuBench(gpu, kernels, sizes, limits, !(gpu instanceof EmulatedGpu));
                bench.maker("--explain", row).make(own).call.run();
            });
        }
    }

    private Maker maker(String option, String name) {
        SequencedMap<String, Maker> makers = all();
        Maker maker = makers.get(name);
        if (maker == null) {
            throw new BadInput(
                    "%s %s: expected one of %s.".formatted(option, name, String.join(", ", makers.keySet())));
        }
        return maker;
    }

    /// Work that was prepared.
    ///
    /// @param amount FLOP or bytes of a call
    /// @param unit `TFLOP/s` or `GB/s`
    private record Call(double amount, String unit, Limit limit, Runnable call) {}

    private interface Maker {
        Call make(Memory memory);
    }

    private Row measure(String name, Call call) {
        double before = call.limit.measure();
        double nanos = limits.nanos(call.call);
        double limit = Math.max(before, call.limit.measure());
        double rate = call.amount / nanos / (call.unit.equals(TFLOPS) ? 1e3 : 1);
        return Row.of(name, rate, call.unit, call.limit.text(), limit, setup(gpu));
    }

    private SequencedMap<String, Maker> all() {
        SequencedMap<String, Maker> makers = new LinkedHashMap<>();
        for (int[] size : sizes.products()) {
            makers.put("matmul_%dx%dx%d".formatted(size[0], size[1], size[2]), m -> product(m, size));
        }
        int[] square = sizes.products().getFirst();
        makers.put("matmul_input_gradient", m -> inputGradient(m, square));
        makers.put("matmul_weight_gradient", m -> weightGradient(m, square));
        for (int[] size : sizes.products()) {
            makers.put("fp8_%dx%dx%d".formatted(size[0], size[1], size[2]), m -> fp8(m, size));
        }
        for (Mixture mixture : sizes.experts()) {
            String name = "experts_%dof%d".formatted(mixture.topK(), mixture.experts());
            makers.put(name + "_forward", m -> experts(m, mixture, false));
            makers.put(name + "_backward", m -> experts(m, mixture, true));
        }
        makers.put("attention_prefill", m -> attention(m, false));
        makers.put("attention_backward", m -> attention(m, true));
        makers.put("mla_decode", this::decode);
        for (Packed.Element element :
                List.of(Packed.Element.BF16, Packed.Element.INT8, Packed.Element.INT4, Packed.Element.FP8)) {
            makers.put("matvec_" + element.name().toLowerCase(java.util.Locale.ROOT), m -> matvec(m, element));
        }
        makers.put("rms_norm", this::rmsNorm);
        makers.put("cross_entropy", this::crossEntropy);
        makers.put("adamw", this::adamW);
        return makers;
    }

    private Call computing(double flops, Runnable call) {
        return new Call(flops, TFLOPS, limits.compute(), call);
    }

    private Call moving(double bytes, Runnable call) {
        return new Call(bytes, Work.GBS, limits.copy(), call);
    }

    private Tensor random(Memory owner, DType dtype, double scale, long seed, long... shape) {
        Tensor here = owner.tensor(dtype, shape);
        if (!fills) {
            return here;
        }
        try (Arena arena = Arena.ofConfined()) {
            gpu.upload(Numbers.fill(Tensor.allocate(arena, dtype, shape), scale, seed), here);
        }
        return here;
    }

    private Tensor integers(Memory owner, int... values) {
        Tensor here = owner.tensor(DType.I32, values.length);
        gpu.upload(Tensor.of(values), here);
        return here;
    }

    private Call product(Memory m, int... size) {
        Tensor x = random(m, DType.BF16, 1, 1, size[0], size[2]);
        Dense w = Weight.of(random(m, DType.BF16, 0.02, 2, size[1], size[2]));
        Tensor y = m.tensor(DType.F32, size[0], size[1]);
        return computing(flops(size), () -> kernels.matmul().linear(x, w, y, false));
    }

    /// E4M3 with scales of 128, the left operand rounded before.
    private Call fp8(Memory m, int... size) {
        Tensor a = m.tensor(DType.F8_E4M3, size[0], size[2]);
        Tensor aScales = m.tensor(DType.F32, size[0], Fp8Matmul.groups(size[2]));
        kernels.fp8Matmul().quantize(random(m, DType.BF16, 1, 1, size[0], size[2]), a, aScales);
        Tensor b = m.tensor(DType.F8_E4M3, size[1], size[2]);
        Tensor rows = m.tensor(DType.F32, size[1], Fp8Matmul.groups(size[2]));
        kernels.fp8Matmul().quantize(random(m, DType.BF16, 1, 2, size[1], size[2]), b, rows);
        Tensor bScales = random(m, DType.F32, 1, 3, Fp8Matmul.groups(size[1]), Fp8Matmul.groups(size[2]));
        Tensor c = m.tensor(DType.F32, size[0], size[1]);
        return computing(flops(size), () -> kernels.fp8Matmul().nt(a, aScales, b, bScales, c));
    }

    private static double flops(int... size) {
        return 2.0 * size[0] * size[1] * size[2];
    }

    private Call inputGradient(Memory m, int... size) {
        Tensor dy = random(m, DType.BF16, 1, 1, size[0], size[1]);
        Dense w = Weight.of(random(m, DType.BF16, 0.02, 2, size[1], size[2]));
        Tensor dx = m.tensor(DType.F32, size[0], size[2]);
        return computing(flops(size), () -> kernels.matmul().linearInput(dy, w, dx, false));
    }

    private Call weightGradient(Memory m, int... size) {
        Tensor dy = random(m, DType.BF16, 1, 1, size[0], size[1]);
        Tensor x = random(m, DType.BF16, 1, 2, size[0], size[2]);
        Dense w = Weight.of(random(m, DType.BF16, 0.02, 3, size[1], size[2]));
        Tensor dw = m.tensor(DType.F32, size[1], size[2]);
        return computing(flops(size), () -> kernels.matmul().linearWeight(dy, x, w, dw));
    }

    /// Gate and up, SwiGLU, down: an eighth of the experts idle, the first with eight times the mean.
    private Call experts(Memory m, Mixture size, boolean backward) {
        int rows = size.rows();
        int tokens = size.tokens();
        int[] chosen = new int[rows];
        try (Arena arena = Arena.ofConfined()) {
            Tensor host = Tensor.allocate(arena, DType.I32, tokens, size.topK());
            SkewedLoads.choose(size.experts(), host);
            IntStream.range(0, rows).forEach(i -> chosen[i] = host.getInt(i));
        }
        Routing.Plan plan = new Routing.Plan(
                m.tensor(DType.I32, size.experts() + 1L), m.tensor(DType.I32, rows), m.tensor(DType.I32, rows));
        kernels.routing()
                .plan(integers(m, chosen).reshape(tokens, size.topK()), plan, m.tensor(DType.I32, size.experts()));
        int inner = size.inner();
        int hidden = size.hidden();
        Tensor x = random(m, DType.F32, 1, 1, tokens, hidden);
        Dense gateUp = Weight.of(random(m, DType.BF16, 0.02, 2, size.experts(), 2L * inner, hidden));
        Dense down = Weight.of(random(m, DType.BF16, 0.02, 3, size.experts(), hidden, inner));
        Tensor weights = random(m, DType.F32, 0.1, 4, tokens, size.topK());
        Tensor both = m.tensor(DType.F32, rows, 2L * inner);
        Tensor activated = m.tensor(DType.F32, rows, inner);
        Tensor scratch = m.tensor(DType.F32, rows, hidden);
        Tensor y = m.tensor(DType.F32, tokens, hidden);
        Runnable forward = () -> {
            kernels.experts().gateUp(x, plan, gateUp, both, activated);
            kernels.experts().down(activated, plan, down, weights, scratch, y);
        };
        double flops = 6.0 * rows * hidden * inner;
        if (!backward) {
            return computing(flops, forward);
        }
        forward.run();
        Tensor dy = random(m, DType.F32, 1, 5, tokens, hidden);
        Tensor dActivated = m.tensor(DType.F32, rows, inner);
        Tensor dBoth = m.tensor(DType.F32, rows, 2L * inner);
        Tensor dWeights = m.tensor(DType.F32, tokens, size.topK());
        Tensor dGateUp = m.tensor(DType.F32, gateUp.shape());
        Tensor dDown = m.tensor(DType.F32, down.shape());
        Tensor dx = m.tensor(DType.F32, tokens, hidden);
        return computing(2 * flops, () -> {
            kernels.experts().downBackward(dy, plan, down, weights, activated, dActivated, dWeights);
            kernels.experts().downWeightGradient(dy, plan, weights, activated, dDown);
            kernels.swiglu().backward(both, dActivated, dBoth);
            kernels.experts().gateUpBackward(dBoth, plan, gateUp, scratch, dx);
            kernels.experts().gateUpWeightGradient(dBoth, plan, x, dGateUp);
        });
    }

    private Call attention(Memory m, boolean backward) {
        Prompt p = sizes.prompt();
        Tensor q = random(m, DType.F32, 1, 1, p.tokens(), p.heads(), p.qkDim());
        Tensor k = random(m, DType.F32, 1, 2, p.tokens(), p.heads(), p.qkDim());
        Tensor v = random(m, DType.F32, 1, 3, p.tokens(), p.heads(), p.vDim());
        Tensor keyStart = integers(m, new int[p.tokens()]);
        Tensor out = m.tensor(DType.F32, p.tokens(), p.heads(), p.vDim());
        Tensor lse = m.tensor(DType.F32, p.tokens(), p.heads());
        double scale = 1 / Math.sqrt(p.qkDim());
        double flops = p.heads() * (p.tokens() * (p.tokens() + 1.0)) * (p.qkDim() + p.vDim());
        Runnable forward = () -> kernels.attention().forward(q, k, v, keyStart, scale, out, lse);
        if (!backward) {
            return computing(flops, forward);
        }
        forward.run();
        Tensor dOut = random(m, DType.F32, 1, 4, p.tokens(), p.heads(), p.vDim());
        Tensor dq = m.tensor(DType.F32, q.shape());
        Tensor dk = m.tensor(DType.F32, k.shape());
        Tensor dv = m.tensor(DType.F32, v.shape());
        return computing(
                2.5 * flops, () -> kernels.attention().backward(q, k, v, keyStart, scale, out, lse, dOut, dq, dk, dv));
    }

    /// A token of each text, over pages that lie in any order.
    private Call decode(Memory m) {
        Texts d = sizes.decode();
        int most = d.keys() / PAGE;
        Tensor q = random(m, DType.F32, 1, 1, d.texts(), d.heads(), d.nopeDim() + d.ropeDim());
        Dense kvB = Weight.of(random(m, DType.F32, 0.02, 2, (long) d.heads() * (d.nopeDim() + d.vDim()), d.rank()));
        Tensor cache = random(m, DType.BF16, 1, 3, (long) d.texts() * most, PAGE, d.rank() + d.ropeDim());
        int[] pages = IntStream.range(0, d.texts() * most)
                .map(i -> (int) ((i * 7919L + 13) % ((long) d.texts() * most)))
                .toArray();
        PageTable table = new PageTable(
                integers(m, IntStream.rangeClosed(0, d.texts()).toArray()),
                integers(m, pages).reshape(d.texts(), most));
        int[] last = new int[d.texts()];
        Arrays.fill(last, d.keys() - 1);
        Tensor positions = integers(m, last);
        Tensor out = m.tensor(DType.F32, d.texts(), d.heads(), d.vDim());
        double scale = 1 / Math.sqrt(d.nopeDim() + d.ropeDim());
        return moving(
                cache.bytes(), () -> kernels.latentAttention().forward(q, kvB, cache, table, positions, scale, out));
    }

    private Call matvec(Memory m, Packed.Element element) {
        int n = sizes.packed()[0];
        int k = sizes.packed()[1];
        int group = 128;
        Packed weight;
        try (Device host = Device.host(1);
                Memory here = host.memory()) {
            Packed filled = Packed.allocate(element, 0, n, k, group, Activations.INT8, here);
            Rng rng = new Rng(2);
            IntStream.range(0, fills ? n : 0).parallel().forEach(row -> {
                float[] values = new float[k];
                for (int p = 0; p < k; p++) {
                    values[p] = (float) rng.normal((long) row * k + p);
                }
                filled.put(row, values);
            });
            Tensor values = m.tensor(DType.U8, filled.values().shape());
            gpu.upload(filled.values(), values);
            Tensor scales = null;
            if (element.isScaled()) {
                scales = m.tensor(DType.BF16, filled.scales().shape());
                gpu.upload(filled.scales(), scales);
            }
            weight = Packed.of(element, values, scales, n, k, group, Activations.INT8);
        }
        Tensor x = random(m, DType.F32, 1, 1, 1, k);
        Tensor y = m.tensor(DType.F32, 1, n);
        return moving(weight.bytes(), () -> kernels.matmul().linear(x, weight, y, false));
    }

    private Call rmsNorm(Memory m) {
        Tensor x = random(m, DType.F32, 1, 1, sizes.norm()[0], sizes.norm()[1]);
        Tensor weight = random(m, DType.F32, 1, 2, sizes.norm()[1]);
        Tensor y = m.tensor(DType.F32, x.shape());
        Tensor rstd = m.tensor(DType.F32, x.dim(0));
        return moving(2.0 * x.bytes(), () -> kernels.rmsNorm().forward(x, weight, 1e-6, y, rstd));
    }

    private Call crossEntropy(Memory m) {
        Tensor logits = random(m, DType.F32, 3, 1, sizes.loss()[0], sizes.loss()[1]);
        Tensor targets = integers(m, new int[sizes.loss()[0]]);
        Tensor losses = m.tensor(DType.F32, sizes.loss()[0]);
        return moving(
                2.0 * logits.bytes(), () -> kernels.crossEntropy().forwardBackward(logits, targets, 1e-3, losses));
    }

    private Call adamW(Memory m) {
        int n = sizes.elements();
        Tensor p = random(m, DType.F32, 0.02, 1, n);
        Tensor g = random(m, DType.F32, 1e-3, 2, n);
        Tensor mean = random(m, DType.F32, 1e-4, 3, n);
        Tensor square = m.tensor(DType.F32, n);
        Tensor normAndClip = random(m, DType.F32, 1, 4, 2);
        AdamW.Step step = new AdamW.Step(1e-5, 0.9, 0.95, 1e-8, 0.1, 10);
        return moving(7.0 * n * FLOAT, () -> kernels.adamW().update(step, p, g, mean, square, normAndClip));
    }
}
