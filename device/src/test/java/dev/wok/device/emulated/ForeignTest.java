package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Launch;
import dev.wok.device.PtxFault;
import dev.wok.device.PtxProgram;
import dev.wok.device.PtxRejected;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.ValueLayout;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/// PTX that NVIDIA's compiler wrote for small kernels (`cuda/*.cu` beside it): the emulated GPU
/// computes what plain Java does. The texts that are checked in are the compiler's for `sm_90a`,
/// without comments.
class ForeignTest {
    private static final List<String> FILES = List.of("basics", "calls", "halves", "matrices", "pipelines", "waits");

    @TempDir
    Path folder;

    @TestFactory
    Stream<DynamicTest> checkedIn() {
        return FILES.stream().flatMap(file -> tests(file, resource(file + ".ptx")));
    }

    @TestFactory
    @Tag("slow")
    Stream<DynamicTest> compiledNow() {
        return Stream.of("sm_80", "sm_90a")
                .flatMap(target -> FILES.stream()
                        .map(file -> dynamicTest(file + " for " + target, () -> {
                            String ptx = Assembler.compiled(source(file), target, folder);
                            tests(file, ptx).forEach(test -> {
                                try {
                                    test.getExecutable().execute();
                                } catch (Throwable e) {
                                    throw new AssertionError(test.getDisplayName() + " for " + target + ": " + e, e);
                                }
                            });
                        })));
    }

    /// Lines of the texts without which nothing changes: barriers behind which each thread reads what it wrote itself,
    /// barriers of groups that shuffles wait for too, and a fence between volatile accesses, which are no race.
    private static final Set<String> NEEDLESS =
            Set.of("basics 922", "basics 928", "pipelines 152", "waits 181", "waits 409", "waits 664");

    @TestFactory
    Stream<DynamicTest> withoutOneSynchronisationTheyFault() {
        return Stream.of("basics", "calls", "matrices", "pipelines", "waits").flatMap(file -> {
            List<String> lines = resource(file + ".ptx").lines().toList();
            return IntStream.range(0, lines.size())
                    .filter(i -> SYNCHRONISATION.matcher(lines.get(i)).lookingAt())
                    .mapToObj(i -> dynamicTest(
                            file + " " + (i + 1) + " " + lines.get(i).strip(), () -> {
                                List<String> without = new ArrayList<>(lines);
                                without.set(i, "");
                                boolean faults =
                                        tests(file, String.join("\n", without)).anyMatch(ForeignTest::faults);
                                assertEquals(!NEEDLESS.contains(file + " " + (i + 1)), faults);
                            }));
        });
    }

    private static final Pattern SYNCHRONISATION =
            Pattern.compile("\\s*(bar|barrier|fence|membar|cp\\.async\\.(wait|commit|mbarrier)|mbarrier\\.arrive)\\b");

    private static boolean faults(DynamicTest test) {
        try {
            test.getExecutable().execute();
            return false;
        } catch (PtxFault fault) {
            return true;
        } catch (Throwable e) {
            throw new AssertionError(test.getDisplayName() + " gives " + e, e);
        }
    }

    @Test
    void recursionIsRefused() {
        String self =
                ".version 8.5\n.target sm_90a\n.address_size 64\n.func f() { call g; ret; }\n.func g() { call f; ret; }\n"
                        + ".entry k() { call f; ret; }";
        assertEquals(
                "line 5: f calls itself: recursion is not supported.\n    5 | .func g() { call f; ret; }",
                rejection(self));
        assertTrue(rejection(self.replace("call f; ret; }", "call h; ret; }"))
                .startsWith("line 6: the function h is not in this text."));
        assertTrue(rejection(self.replace(".func g() { call f;", ".func g() { .reg .u64 %a; call %a, f;"))
                .startsWith("line 5: calls through registers are not supported."));
        assertTrue(rejection(self.replace("call g;", "call g, (a);")).startsWith("line 4: g has 0 arguments, not 1."));
    }

    private static String rejection(String ptx) {
        try (EmulatedGpu gpu = Device.emulated()) {
            String message = String.valueOf(
                    assertThrows(PtxRejected.class, () -> gpu.load(ptx)).getMessage());
            return message.substring(message.indexOf('\n') + 1);
        }
    }

    private static String resource(String name) {
        try (InputStream in = Objects.requireNonNull(ForeignTest.class.getResourceAsStream("/cuda/" + name))) {
            return new String(in.readAllBytes(), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new AssertionError(e);
        }
    }

    private static Path source(String name) throws URISyntaxException {
        URL url = Objects.requireNonNull(ForeignTest.class.getResource("/cuda/" + name + ".cu"));
        return Path.of(url.toURI());
    }

    private interface Run {
        void run(EmulatedGpu gpu, PtxProgram program);
    }

    private static Stream<DynamicTest> tests(String file, String ptx) {
        return switch (file) {
            case "basics" ->
                Stream.of(
                        test("saxpy", ptx, ForeignTest::saxpy),
                        test("total", ptx, ForeignTest::total),
                        test("transposed", ptx, ForeignTest::transposed),
                        test("histogram", ptx, ForeignTest::histogram),
                        test("softmaxRows", ptx, ForeignTest::softmax),
                        test("prefixSums", ptx, ForeignTest::prefixSums),
                        test("sumOfSquares", ptx, ForeignTest::sumOfSquares),
                        test("choices", ptx, ForeignTest::choices),
                        test("divisions", ptx, ForeignTest::divisions),
                        test("votes", ptx, ForeignTest::votes),
                        test("dots", ptx, ForeignTest::dots),
                        test("doubles", ptx, ForeignTest::doubles));
            case "calls" -> Stream.of(test("calls", ptx, ForeignTest::calls));
            case "halves" ->
                Stream.of(
                        test("layerNorm", ptx, ForeignTest::layerNorm),
                        test("pairs", ptx, ForeignTest::pairs),
                        test("eights", ptx, ForeignTest::eights));
            case "matrices" ->
                Stream.of(test("product16", ptx, ForeignTest::product16), test("product8", ptx, ForeignTest::product8));
            case "waits" ->
                Stream.of(
                        test("rounds", ptx, ForeignTest::rounds),
                        test("roles", ptx, ForeignTest::roles),
                        test("counted", ptx, ForeignTest::counted),
                        test("scans", ptx, ForeignTest::scans),
                        test("tree", ptx, ForeignTest::tree),
                        test("tickets", ptx, ForeignTest::tickets));
            default -> {
                Stream<DynamicTest> all =
                        Stream.of(test("staged", ptx, ForeignTest::staged), test("tiles", ptx, ForeignTest::tiles));
                yield ptx.contains("clusterTotal")
                        ? Stream.concat(all, Stream.of(test("clusterTotal", ptx, ForeignTest::clusterTotal)))
                        : all;
            }
        };
    }

    private static DynamicTest test(String name, String ptx, Run run) {
        return dynamicTest(name, () -> {
            try (EmulatedGpu gpu = Device.emulated()) {
                run.run(gpu, gpu.load(ptx));
            }
        });
    }

    // ------------------------------------------------------------------------------------------------ data

    private static Tensor floats(EmulatedGpu gpu, int count) {
        Tensor tensor = gpu.pinned().tensor(DType.F32, count);
        for (int i = 0; i < count; i++) {
            tensor.set(i, (i * 37 % 101 - 50) / 16.0);
        }
        return tensor;
    }

    private static Tensor ints(EmulatedGpu gpu, int count, int bound) {
        Tensor tensor = gpu.pinned().tensor(DType.I32, count);
        for (int i = 0; i < count; i++) {
            tensor.setInt(i, Math.floorMod(i * 7919, bound));
        }
        return tensor;
    }

    private static Tensor zeros(EmulatedGpu gpu, DType type, int count) {
        return gpu.pinned().tensor(type, count);
    }

    private static long longAt(Tensor tensor, int i) {
        return tensor.memory().getAtIndex(ValueLayout.JAVA_LONG, i);
    }

    private static void launch(EmulatedGpu gpu, PtxProgram program, String name, Launch launch, Object... arguments) {
        gpu.stream().launch(program.function(name), launch, arguments);
    }

    // ------------------------------------------------------------------------------------------------ basics

    private static void saxpy(EmulatedGpu gpu, PtxProgram program) {
        Tensor x = floats(gpu, 1000);
        Tensor y = floats(gpu, 1000);
        launch(gpu, program, "saxpy", Launch.of(8, 128), 1000, 3f, x, y);
        for (int i = 0; i < 1000; i++) {
            assertEquals(4 * x.get(i), y.get(i));
        }
    }

    private static void total(EmulatedGpu gpu, PtxProgram program) {
        Tensor x = floats(gpu, 1777);
        Tensor out = zeros(gpu, DType.F32, 1);
        launch(gpu, program, "total", Launch.of(1, 256), x, out, 1777);
        double sum = 0;
        for (int i = 0; i < 1777; i++) {
            sum += x.get(i);
        }
        assertEquals(sum, out.get(0));
    }

    private static void transposed(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = floats(gpu, 70 * 45);
        Tensor out = zeros(gpu, DType.F32, 70 * 45);
        launch(gpu, program, "transposed", Launch.of(1, 1).withGrid(2, 3, 1).withBlock(32, 8, 1), in, out, 70, 45);
        for (int i = 0; i < 70; i++) {
            for (int j = 0; j < 45; j++) {
                assertEquals(in.get(i * 45 + j), out.get(j * 70 + i));
            }
        }
        assertEquals(
                0,
                gpu.lastLaunch().bankConflicts().values().stream()
                        .mapToLong(c -> c)
                        .sum());
    }

    private static void histogram(EmulatedGpu gpu, PtxProgram program) {
        Tensor text = zeros(gpu, DType.U8, 3000);
        Tensor counts = zeros(gpu, DType.I32, 256);
        int[] expected = new int[256];
        for (int i = 0; i < 3000; i++) {
            int value = i * i % 251;
            text.set(i, value);
            expected[value]++;
        }
        launch(gpu, program, "histogram", Launch.of(3, 128).withShared(1024), text, 3000, counts);
        for (int i = 0; i < 256; i++) {
            assertEquals(expected[i], counts.getInt(i));
        }
    }

    private static void softmax(EmulatedGpu gpu, PtxProgram program) {
        Tensor x = floats(gpu, 3 * 77);
        Tensor y = zeros(gpu, DType.F32, 3 * 77);
        launch(gpu, program, "softmaxRows", Launch.of(3, 32), x, y, 77);
        for (int row = 0; row < 3; row++) {
            double sum = 0;
            for (int i = 0; i < 77; i++) {
                sum += Math.exp(x.get(row * 77 + i));
            }
            for (int i = 0; i < 77; i++) {
                double expected = Math.exp(x.get(row * 77 + i)) / sum;
                assertEquals(expected, y.get(row * 77 + i), expected * 1e-5);
            }
        }
    }

    private static void prefixSums(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = ints(gpu, 200, 100);
        Tensor out = zeros(gpu, DType.I32, 200);
        launch(gpu, program, "prefixSums", Launch.of(1, 256), in, out, 200);
        int sum = 0;
        for (int i = 0; i < 200; i++) {
            sum += in.getInt(i);
            assertEquals(sum, out.getInt(i));
        }
    }

    private static void sumOfSquares(EmulatedGpu gpu, PtxProgram program) {
        Tensor x = floats(gpu, 2000);
        Tensor out = zeros(gpu, DType.F32, 1);
        double sum = 0;
        for (int i = 0; i < 2000; i++) {
            sum += x.get(i) * x.get(i);
        }
        for (int run = 0; run < 2; run++) {
            out.set(0, 0);
            launch(gpu, program, "sumOfSquares", Launch.of(5, 128), x, 2000, zeros(gpu, DType.F32, 5), out);
            assertEquals(sum, out.get(0), sum * 1e-6);
        }
    }

    private static void choices(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = ints(gpu, 64, 13);
        Tensor out = zeros(gpu, DType.I64, 64);
        launch(gpu, program, "choices", Launch.of(1, 64), in, out);
        for (int i = 0; i < 64; i++) {
            int v = in.getInt(i);
            long expected = switch (v) {
                case 0 -> 5;
                case 1 -> v * 77 + in.getInt(3);
                case 2 -> -v;
                case 3 -> in.getInt(0);
                case 4 -> in.getInt(1) ^ v;
                case 5 -> (long) v << 33;
                case 6 -> Integer.bitCount(v + 5);
                case 7 -> in.getInt(2);
                case 8 -> 100000000000L / (v - 1);
                default -> 1L << (v & 7);
            };
            assertEquals(expected, longAt(out, i), "of " + v);
        }
    }

    private static void divisions(EmulatedGpu gpu, PtxProgram program) {
        Tensor a = zeros(gpu, DType.I64, 64);
        Tensor b = zeros(gpu, DType.I64, 64);
        Tensor out = zeros(gpu, DType.I64, 256);
        for (int i = 0; i < 64; i++) {
            a.memory().setAtIndex(ValueLayout.JAVA_LONG, i, (i * 0x9E3779B97F4A7C15L) >> i % 50);
            b.memory().setAtIndex(ValueLayout.JAVA_LONG, i, (i * 0xD1B54A32D192ED03L + 1) >> i * 3 % 61 | 1);
        }
        launch(gpu, program, "divisions", Launch.of(1, 64), a, b, out);
        for (int i = 0; i < 64; i++) {
            long x = longAt(a, i);
            long y = longAt(b, i);
            assertEquals(x / y, longAt(out, 4 * i));
            assertEquals(x % y, longAt(out, 4 * i + 1));
            assertEquals(Long.divideUnsigned(x, y), longAt(out, 4 * i + 2));
            assertEquals((int) x / (int) (y | 1), longAt(out, 4 * i + 3));
        }
    }

    private static void votes(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = ints(gpu, 32, 6);
        Tensor out = zeros(gpu, DType.I32, 32);
        launch(gpu, program, "votes", Launch.of(1, 32), in, out);
        int more = 0;
        boolean any = false;
        for (int i = 0; i < 32; i++) {
            more |= in.getInt(i) > 3 ? 1 << i : 0;
            any |= in.getInt(i) == 5;
        }
        for (int i = 0; i < 32; i++) {
            int same = 0;
            int sum = 0;
            for (int j = 0; j < 32; j++) {
                boolean isSame = in.getInt(i) == in.getInt(j);
                same |= isSame ? 1 << j : 0;
                sum += isSame ? j : 0;
            }
            assertEquals(same ^ more + (any ? 7 : 0) + sum * 3 + 1, out.getInt(i));
        }
    }

    private static void dots(EmulatedGpu gpu, PtxProgram program) {
        Tensor a = ints(gpu, 64, 1 << 30);
        Tensor b = ints(gpu, 64, 123456789);
        Tensor out = zeros(gpu, DType.I32, 64);
        launch(gpu, program, "dots", Launch.of(1, 64), a, b, out);
        for (int i = 0; i < 64; i++) {
            int x = a.getInt(i);
            int y = b.getInt(i);
            int dot = i;
            for (int k = 0; k < 4; k++) {
                dot += (byte) (x >> 8 * k) * (byte) (y >> 8 * k);
            }
            int bytes = x & 0xFF | (x >>> 16 & 0xFF) << 8 | (y & 0xFF) << 16 | (y >>> 16 & 0xFF) << 24;
            int shifted = (int) (((long) y << 32 | x & 0xFFFFFFFFL) << (i & 31) >>> 32);
            int first = x == 0 ? 0 : Integer.numberOfTrailingZeros(x) + 1;
            assertEquals(
                    dot + bytes + Integer.reverse(x) + Integer.numberOfLeadingZeros(y) + first + shifted,
                    out.getInt(i));
        }
    }

    private static void doubles(EmulatedGpu gpu, PtxProgram program) {
        Tensor x = zeros(gpu, DType.F64, 100);
        Tensor out = zeros(gpu, DType.F64, 400);
        for (int i = 0; i < 100; i++) {
            x.set(i, (i - 50) * (i < 90 ? 0.37 : 1e7));
        }
        launch(gpu, program, "doubles", Launch.of(1, 128), x, out, 100);
        for (int i = 0; i < 100; i++) {
            double v = x.get(i);
            near(Math.exp(v), out.get(4 * i));
            near(Math.log(Math.abs(v) + 0.5), out.get(4 * i + 1));
            near(Math.sin(v * 3), out.get(4 * i + 2));
            near(Math.sqrt(Math.abs(v)) / (v + 100), out.get(4 * i + 3));
        }
    }

    private static void near(double expected, double got) {
        if (Double.isInfinite(expected)) {
            assertEquals(expected, got);
        } else {
            assertEquals(expected, got, Math.abs(expected) * 1e-15 + 1e-300);
        }
    }

    // ------------------------------------------------------------------------------------------------ calls

    private static void calls(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = floats(gpu, 64);
        Tensor out = zeros(gpu, DType.F32, 128);
        Tensor whole = zeros(gpu, DType.I32, 192);
        launch(gpu, program, "calls", Launch.of(1, 64), in, out, whole);
        for (int t = 0; t < 64; t++) {
            float x = (float) in.get(t);
            float expected = x + 2 + t;
            if ((t & 1) != 0) {
                expected = x * t + 1.5f + (float) in.get(t & 3) + 5.5f + (t + 1);
            }
            assertEquals(expected, out.get(t), 1e-4);
            assertEquals((63 - t) * 3, whole.getInt(t));
            assertEquals((63 - t) * 3, whole.getInt(128 + t));
            int first = -1;
            for (int i = 99; i >= 0; i--) {
                first = t * i > 37 ? i : first;
            }
            assertEquals(first, whole.getInt(64 + t));
            assertEquals(mixed(5, in, t) + (t < 9 ? mixed(9, in, t) : 0), out.get(64 + t), 1e-4);
        }
    }

    private static double mixed(int n, Tensor in, int at) {
        double sum = 0;
        for (int i = 0; i < n; i++) {
            sum = sum * 0.5 + in.get(at + (at + i) % n * 7 & 63);
        }
        return sum;
    }

    // ------------------------------------------------------------------------------------------------ halves

    private static void layerNorm(EmulatedGpu gpu, PtxProgram program) {
        int n = 100;
        Tensor x = zeros(gpu, DType.BF16, 2 * n);
        Tensor gain = zeros(gpu, DType.BF16, n);
        Tensor y = zeros(gpu, DType.BF16, 2 * n);
        for (int i = 0; i < 2 * n; i++) {
            x.set(i, (i * 37 % 101 - 40) / 16.0);
            gain.set(i % n, 1 + i % 7 / 8.0);
        }
        launch(gpu, program, "layerNorm", Launch.of(2, 32), x, gain, y, n);
        for (int row = 0; row < 2; row++) {
            double sum = 0;
            double squares = 0;
            for (int i = 0; i < n; i++) {
                double v = x.get(row * n + i);
                sum += v;
                squares += v * v;
            }
            double mean = sum / n;
            double scale = 1 / Math.sqrt(squares / n - mean * mean + 1e-5);
            for (int i = 0; i < n; i++) {
                double expected = (x.get(row * n + i) - mean) * scale * gain.get(i);
                assertEquals(expected, y.get(row * n + i), Math.abs(expected) / 200 + 1e-5);
            }
        }
    }

    private static void pairs(EmulatedGpu gpu, PtxProgram program) {
        Tensor a = zeros(gpu, DType.F16, 64);
        Tensor b = zeros(gpu, DType.F16, 64);
        Tensor out = zeros(gpu, DType.F16, 64);
        Tensor c = zeros(gpu, DType.BF16, 64);
        Tensor more = zeros(gpu, DType.BF16, 64);
        for (int i = 0; i < 64; i++) {
            a.set(i, (i - 32) / 8.0);
            b.set(i, (i * 5 % 17 - 8) / 4.0);
            c.set(i, (i - 20) / 4.0);
        }
        launch(gpu, program, "pairs", Launch.of(1, 32), a, b, out, c, more);
        for (int i = 0; i < 64; i++) {
            // Small quarters and eighths: nothing is rounded.
            assertEquals(a.get(i) * b.get(i) + a.get(i) + b.get(i) * b.get(i), out.get(i), 0.02);
            double v = c.get(i);
            assertEquals(Math.max(v * v + v, -v), more.get(i), 0.5);
        }
    }

    private static void eights(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = floats(gpu, 64);
        Tensor bits = zeros(gpu, DType.F8_E4M3, 64);
        Tensor back = zeros(gpu, DType.F32, 128);
        launch(gpu, program, "eights", Launch.of(1, 64), in, bits, back);
        for (int i = 0; i < 64; i++) {
            double v = in.get(i);
            assertEquals(v, bits.get(i), Math.abs(v) / 16);
            assertEquals(bits.get(i), back.get(i));
            assertEquals(v, back.get(64 + i), Math.abs(v) / 8);
        }
    }

    // ------------------------------------------------------------------------------------------------ matrices

    private static void product16(EmulatedGpu gpu, PtxProgram program) {
        int k = 48;
        Tensor a = zeros(gpu, DType.F16, 16 * k);
        Tensor b = zeros(gpu, DType.F16, 8 * k);
        Tensor c = zeros(gpu, DType.F32, 128);
        for (int i = 0; i < 16 * k; i++) {
            a.set(i, (i * 37 % 101 - 50) / 16.0);
            b.set(i % (8 * k), (i * 11 % 53 - 26) / 8.0);
        }
        launch(gpu, program, "product16", Launch.of(1, 32), a, b, c, k);
        for (int i = 0; i < 16; i++) {
            for (int j = 0; j < 8; j++) {
                double sum = 0;
                for (int l = 0; l < k; l++) {
                    sum += a.get(i * k + l) * b.get(j * k + l);
                }
                assertEquals(sum, c.get(i * 8 + j));
            }
        }
    }

    private static void product8(EmulatedGpu gpu, PtxProgram program) {
        Tensor a = zeros(gpu, DType.I8, 16 * 32);
        Tensor b = zeros(gpu, DType.I8, 8 * 32);
        Tensor c = zeros(gpu, DType.I32, 128);
        for (int i = 0; i < 512; i++) {
            a.set(i, i * 37 % 256 - 128);
            b.set(i % 256, i * 11 % 256 - 128);
        }
        launch(gpu, program, "product8", Launch.of(1, 32), a, b, c);
        for (int i = 0; i < 16; i++) {
            for (int j = 0; j < 8; j++) {
                double sum = 0;
                for (int l = 0; l < 32; l++) {
                    sum += a.get(i * 32 + l) * b.get(j * 32 + l);
                }
                assertEquals(sum, c.getInt(i * 8 + j));
            }
        }
    }

    // ------------------------------------------------------------------------------------------------ pipelines

    private static void staged(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = ints(gpu, 128 * 6, 1000);
        Tensor out = zeros(gpu, DType.I32, 128);
        launch(gpu, program, "staged", Launch.of(1, 128), in, out, 6);
        for (int i = 0; i < 128; i++) {
            int sum = 0;
            for (int tile = 0; tile < 6; tile++) {
                sum += in.getInt(tile * 128 + 127 - i);
            }
            assertEquals(sum, out.getInt(i));
        }
    }

    private static void tiles(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = ints(gpu, 64, 10);
        Tensor out = zeros(gpu, DType.I32, 64);
        launch(gpu, program, "tiles", Launch.of(1, 64), in, out);
        for (int i = 0; i < 64; i++) {
            int sum = 0;
            for (int j = 0; j < 8; j++) {
                sum += in.getInt(i / 8 * 8 + j);
            }
            int first = in.getInt(i / 8 * 8);
            assertEquals(sum * 1000 + first + (first == 8 ? 1000000 : 0), out.getInt(i));
        }
    }

    private static void clusterTotal(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = ints(gpu, 8 * 64, 1000);
        Tensor out = zeros(gpu, DType.I32, 8);
        launch(gpu, program, "clusterTotal", Launch.of(8, 64), in, out);
        for (int i = 0; i < 8; i++) {
            int sum = 0;
            for (int j = 0; j < 256; j++) {
                sum += in.getInt(i / 4 * 256 + j);
            }
            assertEquals(sum, out.getInt(i));
        }
    }

    // ------------------------------------------------------------------------------------------------ waits

    private static void rounds(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = ints(gpu, 128, 50);
        Tensor out = zeros(gpu, DType.I32, 128);
        launch(gpu, program, "rounds", Launch.of(1, 128), in, out, 5);
        int[] values = in.toInts();
        for (int round = 0; round < 5; round++) {
            int[] before = values.clone();
            for (int i = 0; i < 128; i++) {
                values[i] += before[(i + 37) % 128];
            }
        }
        for (int i = 0; i < 128; i++) {
            assertEquals(values[i], out.getInt(i));
        }
    }

    private static void roles(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = ints(gpu, 64 * 7, 1000);
        Tensor out = zeros(gpu, DType.I32, 64);
        launch(gpu, program, "roles", Launch.of(1, 128), in, out, 7);
        for (int i = 0; i < 64; i++) {
            int sum = 0;
            for (int tile = 0; tile < 7; tile++) {
                sum += in.getInt(tile * 64 + 63 - i);
            }
            assertEquals(sum, out.getInt(i));
        }
    }

    private static void counted(EmulatedGpu gpu, PtxProgram program) {
        Tensor seen = zeros(gpu, DType.I32, 4);
        Tensor count = zeros(gpu, DType.I32, 1);
        launch(
                gpu,
                program,
                "counted",
                Launch.of(4, 40),
                zeros(gpu, DType.I32, 1),
                count,
                zeros(gpu, DType.I32, 1),
                seen);
        assertEquals(4 * 40 * 3, count.getInt(0));
        for (int i = 0; i < 4; i++) {
            assertEquals(i == 0 ? 42 : 43, seen.getInt(i));
        }
    }

    private static void scans(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = ints(gpu, 64, 9);
        Tensor out = zeros(gpu, DType.I32, 64);
        launch(gpu, program, "scans", Launch.of(1, 64), in, out);
        for (int i = 0; i < 64; i++) {
            int warp = i / 32 * 32;
            int a = 0;
            for (int j = warp; j <= i; j++) {
                a += in.getInt(j);
            }
            int b = 0;
            for (int j = i / 4 * 4; j < i; j++) {
                b += in.getInt(j);
            }
            int first = Math.ceilDiv(warp, 3) * 3;
            int size = (warp + 31) / 3 - first / 3 + 1;
            int c = i % 3 == 0 ? in.getInt(first) + size * 100 + (i - first) / 3 : 0;
            assertEquals(a * 10000 + b * 1000 + c, out.getInt(i));
        }
    }

    private static void tree(EmulatedGpu gpu, PtxProgram program) {
        Tensor in = floats(gpu, 64);
        Tensor out = zeros(gpu, DType.F32, 2);
        launch(gpu, program, "tree", Launch.of(1, 64), in, out);
        for (int warp = 0; warp < 2; warp++) {
            double sum = 0;
            for (int i = 0; i < 32; i++) {
                sum += in.get(warp * 32 + i);
            }
            assertEquals(sum, out.get(warp));
        }
    }

    private static void tickets(EmulatedGpu gpu, PtxProgram program) {
        Tensor out = zeros(gpu, DType.I32, 500);
        launch(gpu, program, "tickets", Launch.of(3, 32), zeros(gpu, DType.I32, 1), out, 500);
        for (int i = 0; i < 500; i++) {
            assertEquals(i * i, out.getInt(i));
        }
    }
}
