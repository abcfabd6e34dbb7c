package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import dev.wok.device.Device;
import dev.wok.device.Gpu;
import dev.wok.device.Memory;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.PeerRows;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Property;
import dev.wok.testkit.Tensors;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/// Rows that travel between GPUs have the bits that plain loops in float32 give: rounding shows the order.
class PeerRowsTest {
    private static List<Gpu> gpus() {
        List<Gpu> gpus = new ArrayList<>(List.of(Device.emulated()));
        Gpus.chip(Target.SM_80).ifPresent(gpus::add);
        return gpus;
    }

    private static int[] some(Rng rng, int count, int below) {
        return IntStream.range(0, count).map(i -> rng.below(i, below)).toArray();
    }

    private static int[] offsets(Rng rng, int lists, int most) {
        int[] offsets = new int[lists + 1];
        for (int i = 0; i < lists; i++) {
            offsets[i + 1] = offsets[i] + rng.below(i, most + 1);
        }
        return offsets;
    }

    private static float rounded(DType dtype, float value) {
        return dtype == DType.BF16 ? Bf16.round(value) : value;
    }

    private static Tensor to(Gpu gpu, Memory memory, DType dtype, float[] values, long... shape) {
        Tensor host = Tensor.of(values).reshape(shape);
        Tensor here = memory.tensor(dtype, shape);
        gpu.upload(dtype == DType.F32 ? host : Tensors.as(dtype, host), here);
        return here;
    }

    private static Tensor to(Gpu gpu, Memory memory, int[] values) {
        Tensor here = memory.tensor(DType.I32, values.length);
        gpu.upload(Tensor.of(values), here);
        return here;
    }

    private static float[] from(Gpu gpu, Tensor here) {
        Tensor host = Tensors.zeros(here.dtype(), here.shape());
        gpu.download(here, host);
        return host.toFloats();
    }

    @Test
    void rowsAreGatheredAndRounded() {
        for (Gpu gpu : gpus()) {
            PeerRows kernels = PeerRows.of(gpu);
            Property.of("PeerRows.gather")
                    .size("tokens", 1, 20)
                    .size("n", 0, 30)
                    .size("width", 1, 70)
                    .flag("rounds")
                    .cases(15)
                    .check(c -> {
                        int width = c.size("width");
                        DType dtype = c.flag("rounds") ? DType.BF16 : DType.F32;
                        float[] x = Tensors.magnitudes(c.rng("x"), c.size("tokens") * width);
                        x[0] = -0f;
                        int[] rows = some(c.rng("rows"), c.size("n"), c.size("tokens"));
                        try (Memory memory = gpu.memory()) {
                            Tensor out = memory.tensor(dtype, rows.length, width);
                            kernels.gather(
                                    to(gpu, memory, rows), to(gpu, memory, DType.F32, x, c.size("tokens"), width), out);
                            float[] expected = new float[rows.length * width];
                            for (int i = 0; i < expected.length; i++) {
                                expected[i] = rounded(dtype, x[rows[i / width] * width + i % width]);
                            }
                            assertArrayEquals(expected, from(gpu, out));
                            Tensor wide = memory.tensor(DType.F32, rows.length, width);
                            kernels.widen(out, wide);
                            assertArrayEquals(expected, from(gpu, wide));
                        }
                    });
        }
    }

    @Test
    void sumsAgreeWithPlainLoops() {
        for (Gpu gpu : gpus()) {
            PeerRows kernels = PeerRows.of(gpu);
            Property.of("PeerRows.sum")
                    .size("rows", 1, 20)
                    .size("n", 0, 20)
                    .size("most", 0, 9)
                    .size("width", 1, 70)
                    .flag("rounds")
                    .cases(15)
                    .check(c -> {
                        int width = c.size("width");
                        int n = c.size("n");
                        DType dtype = c.flag("rounds") ? DType.BF16 : DType.F32;
                        float[] x = Tensors.magnitudes(c.rng("x"), c.size("rows") * width);
                        int[] offsets = offsets(c.rng("offsets"), n, c.size("most"));
                        int[] rows = some(c.rng("which"), offsets[n], c.size("rows"));
                        float[] weights = Tensors.magnitudes(c.rng("weights"), offsets[n]);
                        float[] expected = new float[n * width];
                        for (int i = 0; i < expected.length; i++) {
                            float sum = 0;
                            for (int j = offsets[i / width]; j < offsets[i / width + 1]; j++) {
                                sum = Math.fma(weights[j], x[rows[j] * width + i % width], sum);
                            }
                            expected[i] = rounded(dtype, sum);
                        }
                        try (Memory memory = gpu.memory()) {
                            Tensor out = memory.tensor(dtype, n, width);
                            kernels.sum(
                                    to(gpu, memory, offsets),
                                    to(gpu, memory, rows),
                                    to(gpu, memory, DType.F32, weights, weights.length),
                                    to(gpu, memory, DType.F32, x, c.size("rows"), width),
                                    out);
                            assertArrayEquals(expected, from(gpu, out));
                        }
                    });
        }
    }

    @Test
    void termsAreAddedInTheirOrder() {
        for (Gpu gpu : gpus()) {
            PeerRows kernels = PeerRows.of(gpu);
            Property.of("PeerRows.add")
                    .size("tokens", 0, 20)
                    .size("most", 0, 9)
                    .size("width", 1, 70)
                    .flag("sumsAreRounded")
                    .flag("rowsAreRounded")
                    .flag("direct")
                    .cases(20)
                    .check(c -> add(
                            gpu,
                            kernels,
                            c.size("tokens"),
                            c.size("most"),
                            c.size("width"),
                            c.flag("sumsAreRounded") ? DType.BF16 : DType.F32,
                            c.flag("rowsAreRounded") ? DType.BF16 : DType.F32,
                            c.flag("direct"),
                            c.rng("terms")));
        }
    }

    private static void add(
            Gpu gpu,
            PeerRows kernels,
            int tokens,
            int most,
            int width,
            DType ofSums,
            DType ofRows,
            boolean direct,
            Rng rng) {
        int table = 7;
        int[] offsets = offsets(rng.split(1), tokens, most);
        int terms = offsets[tokens];
        int[] places = some(rng.split(2), terms, table);
        float[] weights = Tensors.magnitudes(rng.split(3), terms);
        float[] sums = rounded(ofSums, Tensors.magnitudes(rng.split(4), table * width));
        float[] rows = rounded(ofRows, Tensors.magnitudes(rng.split(5), table * width));
        float[] y = Tensors.magnitudes(rng.split(6), tokens * width);
        int[] kinds = new int[terms];
        for (int token = 0; token < tokens; token++) {
            boolean open = false;
            for (int i = offsets[token]; i < offsets[token + 1]; i++) {
                if (!open && rng.split(7).below(i, 2) == 0) {
                    continue;
                }
                boolean ends = i + 1 == offsets[token + 1] || rng.split(8).below(i, 2) == 0;
                int apart = (open ? 0 : PeerRows.FIRST) | (ends ? PeerRows.LAST : 0);
                kinds[i] = PeerRows.ROW | (direct ? PeerRows.DIRECT : apart);
                open = !direct && !ends;
            }
        }
        float[] expected = y.clone();
        for (int i = 0; i < y.length; i++) {
            float apart = Float.NaN;
            for (int j = offsets[i / width]; j < offsets[i / width + 1]; j++) {
                int at = places[j] * width + i % width;
                if (kinds[j] == 0) {
                    expected[i] += sums[at];
                } else if (direct) {
                    expected[i] = Math.fma(weights[j], rows[at], expected[i]);
                } else {
                    apart = Math.fma(weights[j], rows[at], (kinds[j] & PeerRows.FIRST) != 0 ? 0 : apart);
                    expected[i] += (kinds[j] & PeerRows.LAST) != 0 ? rounded(ofSums, apart) : 0;
                }
            }
        }
        try (Memory memory = gpu.memory()) {
            Tensor found = to(gpu, memory, DType.F32, y, tokens, width);
            kernels.add(
                    new PeerRows.Terms(
                            to(gpu, memory, offsets),
                            to(gpu, memory, places),
                            to(gpu, memory, kinds),
                            to(gpu, memory, DType.F32, weights, terms)),
                    to(gpu, memory, ofSums, sums, table, width),
                    to(gpu, memory, ofRows, rows, table, width),
                    found);
            assertArrayEquals(expected, from(gpu, found));
        }
    }

    private static float[] rounded(DType dtype, float[] values) {
        float[] rounded = values.clone();
        for (int i = 0; i < rounded.length; i++) {
            rounded[i] = rounded(dtype, values[i]);
        }
        return rounded;
    }
}
