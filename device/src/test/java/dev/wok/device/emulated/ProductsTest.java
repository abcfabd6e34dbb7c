package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Launch;
import dev.wok.device.TensorMap;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/// `mma` and `wgmma` against plain products. Numbers are small and whole, so that every sum is exact.
///
/// Where numbers lie in registers is written down here from the tables of the PTX ISA, in bytes: with
/// `g = lane / 4` and `t = lane % 4`, register `i` of A holds row `g + 8 * (i % 2)`, bytes `4t + 16 *
/// (i / 2)` and the next three; register `i` of B column `g`, bytes `4t + 16i`; C and D row `g + 8 *
/// (i / 2)`, column `2t + i % 2`.
class ProductsTest {
    private static final String HEAD = ".version 8.5\n.target sm_90a\n.address_size 64\n";

    private static int bytes(String type) {
        return switch (type) {
            case "tf32", "f32", "s32" -> 4;
            case "f16", "bf16" -> 2;
            default -> 1;
        };
    }

    /// @return the bits of a small whole number
    private static long bits(String type, int value) {
        return switch (type) {
            case "f16", "bf16", "f32", "tf32" -> {
                String format = type.equals("tf32") ? "f32" : type;
                yield Rounder.of(format).round(Rounder.Exact.of(java.math.BigInteger.valueOf(value)), "rn");
            }
            case "e4m3", "e5m2" ->
                Rounder.of(type + "x2").round(Rounder.Exact.of(java.math.BigInteger.valueOf(value)), "rn");
            default -> value & 0xFF;
        };
    }

    private static int number(String type, SplittableRandom random) {
        return switch (type) {
            case "u8" -> random.nextInt(256);
            case "s8" -> random.nextInt(256) - 128;
            default -> random.nextInt(9) - 4;
        };
    }

    /// A matrix of numbers whose rows lie along `k`.
    private record Matrix(String type, int[][] values) {
        static Matrix random(String type, int rows, int k, SplittableRandom random) {
            int[][] values = new int[rows][k];
            for (int[] row : values) {
                for (int i = 0; i < k; i++) {
                    row[i] = number(type, random);
                }
            }
            return new Matrix(type, values);
        }

        /// @return four bytes of a row
        int word(int row, int at) {
            long word = 0;
            int width = bytes(type);
            for (int i = 0; i < 4; i += width) {
                word |= (bits(type, values[row][(at + i) / width]) & (1L << 8 * width - 1 << 1) - 1) << 8 * i;
            }
            return (int) word;
        }

        long dot(int row, Matrix other, int column) {
            long sum = 0;
            for (int i = 0; i < values[row].length; i++) {
                sum += (long) values[row][i] * other.values[column][i];
            }
            return sum;
        }
    }

    // ------------------------------------------------------------------------------------------------ mma

    private record Mma(int k, String d, String a, String b, boolean isFinite) {
        @Override
        public String toString() {
            return "mma.sync.aligned.m16n8k%d.row.col%s.%s.%s.%s.%s"
                    .formatted(k, isFinite ? ".satfinite" : "", d, a, b, d);
        }

        int rowBytes() {
            return k * bytes(a);
        }
    }

    private static List<Mma> mmas() {
        List<Mma> all = new ArrayList<>();
        for (int k : new int[] {8, 16}) {
            all.add(new Mma(k, "f32", "f16", "f16", false));
            all.add(new Mma(k, "f16", "f16", "f16", false));
            all.add(new Mma(k, "f32", "bf16", "bf16", false));
            all.add(new Mma(k / 2, "f32", "tf32", "tf32", false));
            for (String a : List.of("s8", "u8")) {
                for (String b : List.of("s8", "u8")) {
                    all.add(new Mma(2 * k, "s32", a, b, false));
                    all.add(new Mma(2 * k, "s32", a, b, true));
                }
            }
        }
        for (String a : List.of("e4m3", "e5m2")) {
            for (String b : List.of("e4m3", "e5m2")) {
                all.add(new Mma(32, "f32", a, b, false));
            }
        }
        return all;
    }

    static String mmaText() {
        StringBuilder text = new StringBuilder(HEAD);
        List<Mma> all = mmas();
        for (int i = 0; i < all.size(); i++) {
            Mma mma = all.get(i);
            int left = mma.rowBytes() / 8;
            int right = mma.rowBytes() / 16;
            int sums = mma.d.equals("f16") ? 2 : 4;
            String held = mma.d.equals("f32") ? "f32" : "b32";
            text.append(".visible .entry k").append(i).append("(.param .u64 pi, .param .u64 po) {\n");
            text.append(".reg .b32 %a<4>, %b<4>, %t, %o; .reg .b64 %i, %q, %w; .reg .")
                    .append(held)
                    .append(" %c<4>;\n");
            text.append("ld.param.u64 %i, [pi]; ld.param.u64 %q, [po]; mov.u32 %t, %tid.x;\n");
            text.append("mul.wide.u32 %w, %t, 64; add.u64 %i, %i, %w; mul.wide.u32 %w, %t, 16; add.u64 %q, %q, %w;\n");
            for (int j = 0; j < left; j++) {
                text.append("ld.global.b32 %a")
                        .append(j)
                        .append(", [%i+")
                        .append(4 * j)
                        .append("];\n");
            }
            for (int j = 0; j < right; j++) {
                text.append("ld.global.b32 %b")
                        .append(j)
                        .append(", [%i+")
                        .append(16 + 4 * j)
                        .append("];\n");
            }
            for (int j = 0; j < sums; j++) {
                text.append("ld.global.")
                        .append(held)
                        .append(" %c")
                        .append(j)
                        .append(", [%i+")
                        .append(32 + 4 * j)
                        .append("];\n");
            }
            String c = list("%c", sums);
            text.append("%s %s, %s, %s, %s;\n".formatted(mma, c, list("%a", left), list("%b", right), c));
            for (int j = 0; j < sums; j++) {
                text.append("st.global.")
                        .append(held)
                        .append(" [%q+")
                        .append(4 * j)
                        .append("], %c")
                        .append(j)
                        .append(";\n");
            }
            text.append("ret; }\n");
        }
        return text.toString();
    }

    private static String list(String name, int count) {
        List<String> names = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            names.add(name + i);
        }
        return "{" + String.join(", ", names) + "}";
    }

    @TestFactory
    Stream<DynamicTest> mmaIsTheProduct() {
        List<Mma> all = mmas();
        String text = mmaText();
        List<DynamicTest> tests = new ArrayList<>();
        for (int i = 0; i < all.size(); i++) {
            int at = i;
            tests.add(dynamicTest(all.get(i).toString(), () -> check(all.get(at), text, "k" + at)));
        }
        return tests.stream();
    }

    private static void check(Mma mma, String text, String kernel) {
        SplittableRandom random = new SplittableRandom(5);
        Matrix a = Matrix.random(mma.a, 16, mma.k, random);
        Matrix b = Matrix.random(mma.b, 8, mma.k, random);
        long[][] c = new long[16][8];
        try (EmulatedGpu gpu = Device.emulated()) {
            Tensor in = gpu.pinned().tensor(DType.I32, 32, 16);
            Tensor out = gpu.pinned().tensor(DType.I32, 32, 4);
            for (int lane = 0; lane < 32; lane++) {
                int g = lane / 4;
                int t = lane % 4;
                for (int i = 0; i < mma.rowBytes() / 8; i++) {
                    in.setInt(lane * 16 + i, a.word(g + 8 * (i % 2), 4 * t + 16 * (i / 2)));
                }
                for (int i = 0; i < mma.rowBytes() / 16; i++) {
                    in.setInt(lane * 16 + 4 + i, b.word(g, 4 * t + 16 * i));
                }
                for (int i = 0; i < 4; i++) {
                    int row = g + 8 * (i / 2);
                    int column = 2 * t + i % 2;
                    c[row][column] = mma.isFinite ? Integer.MAX_VALUE - 1000L * row * column : row * 8 - column;
                    if (mma.d.equals("f16")) {
                        int at = lane * 16 + 8 + i / 2;
                        in.setInt(at, in.getInt(at) | (int) bits("f16", (int) c[row][column]) << 16 * (i % 2));
                    } else {
                        in.setInt(
                                lane * 16 + 8 + i,
                                mma.d.equals("f32") ? (int) bits("f32", (int) c[row][column]) : (int) c[row][column]);
                    }
                }
            }
            gpu.stream().launch(gpu.load(text).function(kernel), Launch.of(1, 32), in, out);
            for (int lane = 0; lane < 32; lane++) {
                for (int i = 0; i < 4; i++) {
                    int row = lane / 4 + 8 * (i / 2);
                    int column = lane % 4 * 2 + i % 2;
                    long expected = c[row][column] + a.dot(row, b, column);
                    if (mma.d.equals("s32")) {
                        expected = mma.isFinite
                                ? Math.clamp(expected, Integer.MIN_VALUE, Integer.MAX_VALUE)
                                : (int) expected;
                    }
                    assertEquals(expected, number(mma.d, out, lane * 4, i), mma + " " + row + " " + column);
                }
            }
        }
    }

    /// @return a result as a number
    private static double number(String type, Tensor out, int from, int i) {
        return switch (type) {
            case "f32" -> Float.intBitsToFloat(out.getInt(from + i));
            case "f16" -> Float.float16ToFloat((short) (out.getInt(from + i / 2) >>> 16 * (i % 2)));
            default -> out.getInt(from + i);
        };
    }

    // ------------------------------------------------------------------------------------------------ wgmma

    /// @param swizzle bytes of the span, or 0
    /// @param isA whether A comes from shared memory
    private record Wgmma(
            int n,
            String d,
            String a,
            String b,
            int swizzle,
            boolean transA,
            boolean transB,
            boolean isA,
            int signs,
            boolean byMap) {
        int k() {
            return 32 / bytes(a);
        }

        @Override
        public String toString() {
            return "wgmma m64n%dk%d %s %s %s, swizzle %d%s%s%s%s%s"
                    .formatted(
                            n,
                            k(),
                            d,
                            a,
                            b,
                            swizzle,
                            transA ? ", A transposed" : "",
                            transB ? ", B transposed" : "",
                            isA ? "" : ", A in registers",
                            signs == 0 ? "" : ", signs " + signs,
                            byMap ? ", by tensor map" : "");
        }

        int sums() {
            return d.equals("f16") ? n / 4 : n / 2;
        }
    }

    private static List<Wgmma> wgmmas() {
        List<Wgmma> all = new ArrayList<>();
        List<String[]> types = new ArrayList<>(List.of(
                new String[] {"f32", "bf16", "bf16"},
                new String[] {"f32", "f16", "f16"},
                new String[] {"f16", "f16", "f16"},
                new String[] {"f32", "tf32", "tf32"},
                new String[] {"f32", "e4m3", "e5m2"},
                new String[] {"f16", "e5m2", "e4m3"},
                new String[] {"s32", "s8", "u8"},
                new String[] {"s32", "u8", "s8"}));
        for (String[] t : types) {
            for (int swizzle : new int[] {0, 32, 64, 128}) {
                all.add(new Wgmma(16, t[0], t[1], t[2], swizzle, false, false, true, 0, false));
            }
            all.add(new Wgmma(64, t[0], t[1], t[2], 128, false, false, false, 0, false));
            all.add(new Wgmma(32, t[0], t[1], t[2], 128, false, false, true, 0, true));
        }
        for (int swizzle : new int[] {0, 32, 64, 128}) {
            all.add(new Wgmma(128, "f32", "bf16", "bf16", swizzle, false, true, true, 0, false));
            all.add(new Wgmma(128, "f32", "f16", "f16", swizzle, true, false, true, 0, false));
            all.add(new Wgmma(64, "f32", "f16", "f16", swizzle, true, true, true, 0, false));
            all.add(new Wgmma(64, "f32", "bf16", "bf16", swizzle, false, true, false, 0, false));
            if (swizzle > 32) {
                // A row of the box holds both steps.
                all.add(new Wgmma(64, "f32", "bf16", "bf16", swizzle, false, false, true, 0, true));
            }
        }
        for (int n : new int[] {8, 24, 40, 72, 136, 192, 256}) {
            all.add(new Wgmma(n, "f32", "bf16", "bf16", 128, false, false, true, 0, false));
        }
        for (int signs = 1; signs < 4; signs++) {
            all.add(new Wgmma(16, "f32", "bf16", "bf16", 64, false, false, true, signs, false));
        }
        return all;
    }

    private static final int STEPS = 2;
    private static final int B_FROM = 32768;
    private static final int SHARED = 98304;

    /// D = A * B over two steps along k, the second added to the first.
    private static String wgmmaText(Wgmma w) {
        String held = w.d.equals("f32") ? "f32" : "b32";
        StringBuilder text = new StringBuilder(HEAD);
        text.append(
                ".extern .shared .align 1024 .b8 smem[];\n.visible .entry k(.param .u64 pi, .param .u64 po, .param .u64 pf");
        for (int i = 0; i < 2 * STEPS; i++) {
            text.append(", .param .u64 d").append(i);
        }
        text.append("""
                , .param .align 64 .b8 ma[128], .param .align 64 .b8 mb[128]) {
                .reg .b32 %t, %s, %o, %x, %z; .reg .b64 %i, %q, %f, %w, %da, %db, %base; .reg .pred %p;
                .reg .b32 %a<4>;
                .shared .align 8 .b64 bar;
                """);
        text.append(".reg .").append(held).append(" %c<").append(w.sums()).append(">;\n");
        text.append("""
                ld.param.u64 %i, [pi]; ld.param.u64 %q, [po]; ld.param.u64 %f, [pf];
                mov.u32 %t, %tid.x;
                mov.u32 %s, smem;
                and.b32 %x, %s, 0x3ffff;
                shr.u32 %x, %x, 4;
                cvt.u64.u32 %base, %x;
                """);
        if (w.byMap) {
            int rowBytes = w.swizzle;
            text.append("""
                    setp.ne.u32 %p, %t, 0;
                    mov.u32 %z, 0;
                    @!%p mbarrier.init.shared::cta.b64 [bar], 1;
                    @!%p fence.mbarrier_init.release.cluster;
                    bar.sync 0;
                    @%p bra WAIT;
                    add.u32 %o, %s, BFROM;
                    mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], BYTES;
                    mov.u64 %da, ma; cvta.param.u64 %da, %da;
                    mov.u64 %db, mb; cvta.param.u64 %db, %db;
                    cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%s], [%da, {%z, %z}], [bar];
                    cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%o], [%db, {%z, %z}], [bar];
                    WAIT:
                    mbarrier.try_wait.parity.shared::cta.b64 %p, [bar], 0;
                    @!%p bra WAIT;
                    """.replace("BFROM", "" + B_FROM).replace("BYTES", "" + rowBytes * (64 + w.n)));
        } else {
            text.append("""
                    shl.b32 %o, %t, 4;
                    FILL:
                    cvt.u64.u32 %w, %o;
                    add.u64 %w, %w, %i;
                    add.u32 %x, %s, %o;
                    { .reg .b32 %v<4>;
                    ld.global.v4.b32 {%v0, %v1, %v2, %v3}, [%w];
                    st.shared.v4.b32 [%x], {%v0, %v1, %v2, %v3}; }
                    add.u32 %o, %o, 2048;
                    setp.lt.u32 %p, %o, BYTES;
                    @%p bra FILL;
                    fence.proxy.async.shared::cta;
                    bar.sync 0;
                    """.replace("BYTES", "" + SHARED));
        }
        text.append("wgmma.fence.sync.aligned;\n");
        for (int step = 0; step < STEPS; step++) {
            if (!w.isA) {
                text.append("mul.wide.u32 %w, %t, 16; add.u64 %w, %w, %f; ld.global.v4.b32 {%a0, %a1, %a2, %a3}, [%w+"
                        + 2048 * step + "];\n");
                text.append("wgmma.fence.sync.aligned;\n");
            }
            text.append("ld.param.u64 %da, [d" + 2 * step + "]; add.u64 %da, %da, %base; ld.param.u64 %db, [d"
                    + (2 * step + 1) + "]; add.u64 %db, %db, %base;\n");
            text.append("setp.ne.u32 %p, " + step + ", 0;\n");
            text.append("wgmma.mma_async.sync.aligned.m64n%dk%d.%s.%s.%s ".formatted(w.n, w.k(), w.d, w.a, w.b));
            text.append(list("%c", w.sums()))
                    .append(w.isA ? ", %da" : ", {%a0, %a1, %a2, %a3}")
                    .append(", %db, %p");
            if (!w.d.equals("s32")) {
                text.append((w.signs & 1) != 0 ? ", -1" : ", 1").append((w.signs & 2) != 0 ? ", -1" : ", 1");
                if (bytes(w.a) == 2) {
                    text.append(w.isA ? (w.transA ? ", 1" : ", 0") : "").append(w.transB ? ", 1" : ", 0");
                }
            }
            text.append(";\nwgmma.commit_group.sync.aligned;\n");
            if (!w.isA) {
                text.append("wgmma.wait_group.sync.aligned 0;\n");
            }
        }
        text.append("wgmma.wait_group.sync.aligned 0;\n");
        text.append("mul.wide.u32 %w, %t, ").append(4 * w.sums()).append("; add.u64 %q, %q, %w;\n");
        for (int j = 0; j < w.sums(); j++) {
            text.append("st.global.")
                    .append(held)
                    .append(" [%q+")
                    .append(4 * j)
                    .append("], %c")
                    .append(j)
                    .append(";\n");
        }
        return text.append("ret; }\n").toString();
    }

    static List<String> wgmmaTexts() {
        return wgmmas().stream().map(ProductsTest::wgmmaText).toList();
    }

    /// Where a number of an operand lies in shared memory: one step of `k` behind the other. The layouts are those of
    /// the PTX ISA (strides of matrix descriptors), with distances of the test's own.
    ///
    /// @param leading the leading distance
    /// @param stride the stride distance
    private record Layout(int swizzle, boolean isTransposed, int width, int stepBytes, int leading, int stride) {
        static Layout of(int swizzle, boolean isTransposed, int width, int rows) {
            if (!isTransposed) {
                return swizzle == 0
                        // Core matrices of 8 rows of 16 bytes: two side by side along k, then the next 8 rows.
                        ? new Layout(0, false, width, rows / 8 * 288, 144, 288)
                        // Rows of the span's length; a step is the next 32 bytes of the row, or the next block of rows.
                        : new Layout(swizzle, false, width, swizzle > 32 ? 32 : rows * 32, 0, 8 * swizzle);
            }
            int span = swizzle == 0 ? 16 : swizzle;
            int k = 32 / width;
            int spans = Math.ceilDiv(rows * width, span);
            return swizzle == 0
                    // 8 of k, each 16 bytes of the other dimension: along that, and then the next 8 of k.
                    ? new Layout(0, true, width, spans * 128 * (k / 8), spans * 128, 128)
                    : new Layout(swizzle, true, width, spans * 8 * span * (k / 8), 8 * span * (k / 8), 8 * span);
        }

        int offset(int row, int k, int step) {
            int at;
            if (!isTransposed) {
                int bytes = k * width;
                at = swizzle == 0
                        ? row % 8 * 16 + row / 8 * stride + bytes % 16 + bytes / 16 * leading
                        : row % 8 * swizzle + row / 8 * stride + bytes;
            } else {
                int span = swizzle == 0 ? 16 : swizzle;
                int bytes = row * width;
                at = bytes % span
                        + bytes / span * (swizzle == 0 ? stride : leading)
                        + k % 8 * span
                        + k / 8 * (swizzle == 0 ? leading : stride);
            }
            at += step * stepBytes;
            // The pattern of 128 bytes: a piece of 16 in row r of 8 changes places with piece p ^ r; narrower ones
            // alike.
            int piece = at / 16 % 8;
            int row128 = at / 128 % 8;
            int moved = switch (swizzle) {
                case 128 -> piece ^ row128;
                case 64 -> piece & 4 | (piece ^ row128) & 3;
                case 32 -> piece & 6 | (piece ^ row128) & 1;
                default -> piece;
            };
            return at - piece * 16 + moved * 16;
        }

        long descriptor(int from, int step) {
            long mode = switch (swizzle) {
                case 128 -> 1;
                case 64 -> 2;
                case 32 -> 3;
                default -> 0;
            };
            return (from + (long) step * stepBytes) / 16
                    | (long) leading / 16 << 16
                    | (long) stride / 16 << 32
                    | mode << 62;
        }
    }

    @TestFactory
    Stream<DynamicTest> wgmmaIsTheProduct() {
        return wgmmas().stream().map(w -> dynamicTest(w.toString(), () -> check(w)));
    }

    private static void check(Wgmma w) {
        SplittableRandom random = new SplittableRandom(w.n);
        int k = w.k();
        Matrix a = Matrix.random(w.a, 64, k * STEPS, random);
        Matrix b = Matrix.random(w.b, w.n, k * STEPS, random);
        Layout layoutA = Layout.of(w.swizzle, w.transA, bytes(w.a), 64);
        Layout layoutB = Layout.of(w.swizzle, w.transB, bytes(w.b), w.n);
        try (EmulatedGpu gpu = Device.emulated()) {
            Tensor image = gpu.pinned().tensor(DType.U8, SHARED);
            Tensor plainA = gpu.pinned().tensor(DType.U8, 64, 256);
            Tensor plainB = gpu.pinned().tensor(DType.U8, w.n, 256);
            Tensor fragments = gpu.pinned().tensor(DType.I32, STEPS * 128 * 4);
            Tensor out = gpu.pinned().tensor(DType.I32, 128L * w.sums());
            for (int step = 0; step < STEPS; step++) {
                for (int i = 0; i < k; i++) {
                    for (int row = 0; row < 64; row++) {
                        put(image, layoutA.offset(row, i, step), w.a, a.values[row][step * k + i]);
                        put(plainA, row * 256 + (step * k + i) * bytes(w.a), w.a, a.values[row][step * k + i]);
                    }
                    for (int row = 0; row < w.n; row++) {
                        put(image, B_FROM + layoutB.offset(row, i, step), w.b, b.values[row][step * k + i]);
                        put(plainB, row * 256 + (step * k + i) * bytes(w.b), w.b, b.values[row][step * k + i]);
                    }
                }
                for (int thread = 0; thread < 128; thread++) {
                    for (int i = 0; i < 4; i++) {
                        int row = thread / 32 * 16 + thread % 32 / 4 + 8 * (i % 2);
                        fragments.setInt(
                                (step * 128 + thread) * 4 + i, a.word(row, step * 32 + thread % 4 * 4 + 16 * (i / 2)));
                    }
                }
            }
            List<Object> arguments = new ArrayList<>(List.of(image, out, fragments));
            for (int step = 0; step < STEPS; step++) {
                arguments.add(layoutA.descriptor(0, step));
                arguments.add(layoutB.descriptor(B_FROM, step));
            }
            TensorMap.Swizzle swizzle = switch (w.swizzle) {
                case 128 -> TensorMap.Swizzle.B128;
                case 64 -> TensorMap.Swizzle.B64;
                case 32 -> TensorMap.Swizzle.B32;
                default -> TensorMap.Swizzle.NONE;
            };
            int box = w.swizzle == 0 ? 32 : w.swizzle;
            arguments.add(TensorMap.of(plainA, 64, box).withSwizzle(swizzle));
            arguments.add(TensorMap.of(plainB, Math.min(w.n, 256), box).withSwizzle(swizzle));
            gpu.stream()
                    .launch(
                            gpu.load(wgmmaText(w)).function("k"),
                            Launch.of(1, 128).withShared(SHARED),
                            arguments.toArray());
            int sign = w.signs == 1 || w.signs == 2 ? -1 : 1;
            for (int thread = 0; thread < 128; thread++) {
                for (int i = 0; i < w.n / 2; i++) {
                    int row = thread / 32 * 16 + thread % 32 / 4 + 8 * (i / 2 % 2);
                    int column = i / 4 * 8 + thread % 4 * 2 + i % 2;
                    long expected = sign * a.dot(row, b, column);
                    assertEquals(expected, number(w.d, out, thread * w.sums(), i), w + " " + row + " " + column);
                }
            }
        }
    }

    private static void put(Tensor image, int at, String type, int value) {
        long bits = bits(type, value);
        for (int i = 0; i < bytes(type); i++) {
            image.memory().set(ValueLayout.JAVA_BYTE, at + i, (byte) (bits >>> 8 * i));
        }
    }
}
