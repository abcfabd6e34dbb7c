package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Launch;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// What moves values: between registers, memory, and lanes of a warp.
class MovesTest {
    static Forms moves() {
        Forms forms = new Forms();
        for (String type : List.of("u8", "s8", "u16", "s16", "u32", "s32", "b8", "b16", "b32")) {
            int bits = Values.bits(type);
            boolean isSigned = type.startsWith("s");
            String wide = isSigned ? "s64" : type.startsWith("u") ? "u64" : "b64";
            forms.add(
                    "st.global.b64 [%out], %a; ld.global." + type + " %z, [%out];",
                    wide,
                    List.of("b64"),
                    in -> isSigned ? in[0] << 64 - bits >> 64 - bits : in[0] & Values.mask("b" + bits));
            forms.add(
                    "st.global.b64 [%out], %a; st.global." + type + " [%out], %b; ld.global.b64 %z, [%out];",
                    "b64",
                    List.of("b64", "b64"),
                    in -> in[0] & ~Values.mask("b" + bits) | in[1] & Values.mask("b" + bits));
        }
        String four = """
                { .reg .b16 %x<4>;
                mov.b64 {%x0, %x1, %x2, %x3}, %a;
                mov.b64 %z, {%x3, %x0, %x2, %x1}; }""";
        forms.add(
                four,
                "b64",
                List.of("b64"),
                in -> in[0] >>> 48
                        | (in[0] & 0xFFFF) << 16
                        | (in[0] >>> 32 & 0xFFFF) << 32
                        | (in[0] >>> 16 & 0xFFFF) << 48);
        forms.add(
                "{ .reg .b16 %x; mov.b32 {_, %x}, %a; mov.b32 %z, {%x, %x}; }",
                "b32", List.of("b32"), in -> in[0] >>> 16 | in[0] >>> 16 << 16);
        forms.add(
                "{ .reg .b32 %x, %y; mov.b64 {%x, %y}, %a; mov.b64 %z, {%y, %x}; }",
                "b64", List.of("b64"), in -> Long.rotateRight(in[0], 32));
        forms.add(
                "st.global.v2.b32 [%out], {%b, %a}; ld.global.b64 %z, [%out];",
                "b64", List.of("b32", "b32"), in -> in[1] | in[0] << 32);
        forms.add(
                "{ .reg .b16 %x<4>; st.global.b64 [%out], %a; ld.global.v4.u16 {%x0, %x1, %x2, %x3}, [%out]; mov.b64 %z, {%x1, %x1, %x0, %x3}; }",
                "b64",
                List.of("b64"),
                in -> in[0] >>> 16 & 0xFFFF | in[0] & 0xFFFF0000L | (in[0] & 0xFFFF) << 32 | in[0] >>> 48 << 48);
        forms.add(
                "{ .reg .b16 %x<4>; st.global.b64 [%out], %a; ld.global.v4.s8 {%x0, %x1, %x2, %x3}, [%out]; mov.b64 %z, {%x0, %x1, %x2, %x3}; }",
                "b64",
                List.of("b64"),
                in -> (in[0] << 56 >> 56 & 0xFFFF)
                        | (in[0] << 48 >> 56 & 0xFFFF) << 16
                        | (in[0] << 40 >> 56 & 0xFFFF) << 32
                        | (in[0] << 32 >> 56 & 0xFFFF) << 48);
        forms.add(
                "{ .local .align 8 .b64 l[2]; .reg .b64 %x; st.local.b64 [l+8], %a; mov.b64 %x, l; cvta.local.u64 %x, %x; ld.b64 %z, [%x+8]; }",
                "b64", List.of("b64"), in -> in[0]);
        forms.add(
                "{ .shared .align 8 .b64 s[256]; .reg .b32 %x; .reg .b64 %y; shl.b32 %x, %t, 3; mov.b32 %p, s; add.u32 %x, %x, %p; st.shared.b64 [%x], %a; cvt.u64.u32 %y, %x; cvta.shared.u64 %y, %y; ld.b64 %z, [%y]; }"
                        .replace("%p", "%w")
                        .replace(".reg .b32 %x;", ".reg .b32 %x, %w;"),
                "b64",
                List.of("b64"),
                in -> in[0]);
        for (String space : List.of("global", "shared", "local")) {
            forms.add(
                    "{ .shared .b32 s; .local .b32 l; .reg .b64 %x; .reg .pred %g; mov.u64 %x, s; cvta.shared.u64 %x, %x; isspacep."
                            + space + " %q, %x; }",
                    "pred",
                    List.of("b32"),
                    in -> space.equals("shared") ? 1 : 0);
            forms.add(
                    "{ .local .b32 l; .reg .b64 %x; mov.u64 %x, l; cvta.local.u64 %x, %x; isspacep." + space
                            + " %q, %x; }",
                    "pred",
                    List.of("b32"),
                    in -> space.equals("local") ? 1 : 0);
            forms.add("isspacep." + space + " %q, %out;", "pred", List.of("b32"), in -> space.equals("global") ? 1 : 0);
        }
        return forms;
    }

    static Forms atomics() {
        Forms forms = new Forms();
        for (String type : List.of("u32", "s32", "u64", "s64")) {
            boolean isSigned = type.startsWith("s");
            int bits = Values.bits(type);
            for (String op : List.of("add", "min", "max", "and", "or", "xor", "exch", "inc", "dec")) {
                boolean isBits = List.of("and", "or", "xor", "exch").contains(op);
                if ((op.equals("inc") || op.equals("dec")) && !type.equals("u32")
                        || type.equals("s64") && op.equals("add")) {
                    continue;
                }
                String named = isBits ? "b" + bits : type;
                atomic(forms, op, named, type, in -> {
                    long a = extended(in[0], bits, isSigned);
                    long b = extended(in[1], bits, isSigned);
                    boolean isLess = isSigned ? a < b : Long.compareUnsigned(a, b) < 0;
                    return switch (op) {
                        case "add" -> a + b;
                        case "min" -> isLess ? a : b;
                        case "max" -> isLess ? b : a;
                        case "and" -> a & b;
                        case "or" -> a | b;
                        case "xor" -> a ^ b;
                        case "exch" -> b;
                        case "inc" -> Long.compareUnsigned(a, b) >= 0 ? 0 : a + 1;
                        default -> a == 0 || Long.compareUnsigned(a, b) > 0 ? b : a - 1;
                    };
                });
            }
        }
        for (String type : List.of("b16", "b32", "b64")) {
            String code = "st.global." + type + " [%out], %a; atom.global.cas." + type + " %z, [%out], %b, %c;";
            forms.add(code, type, List.of(type, type, type), in -> in[0]);
            forms.add(
                    code + " ld.global." + type + " %z, [%out];",
                    type,
                    List.of(type, type, type),
                    in -> in[0] == in[1] ? in[2] : in[0]);
            forms.add(
                    code.replace("%b, %c", "%a, %c") + " ld.global." + type + " %z, [%out];",
                    type,
                    List.of(type, type, type),
                    in -> in[2]);
        }
        for (String type : List.of("f32", "f64", "f16", "bf16", "f16x2", "bf16x2")) {
            Rounder format = Rounder.of(type);
            String noftz = type.equals("f32") || type.equals("f64") ? "" : ".noftz";
            String held = type.endsWith("16") ? "b16" : type.endsWith("x2") ? "b32" : type;
            String store =
                    "st.global.%s [%%out], %%a; ".formatted(held.startsWith("f") ? "b" + held.substring(1) : held);
            forms.addChecked(
                    store + "red.global.add%s.%s [%%out], %%b; ld.global.%s %%z, [%%out];".formatted(noftz, type, held),
                    type,
                    List.of(type, type),
                    (in, z) -> {
                        boolean holds = true;
                        for (int half = 0; half < (type.endsWith("x2") ? 2 : 1); half++) {
                            long mask = format.bits() == 64 ? -1 : (1L << format.bits()) - 1;
                            Rounder.Exact a = format.exact(in[0] >>> 16 * half & mask);
                            Rounder.Exact b = format.exact(in[1] >>> 16 * half & mask);
                            Rounder.Exact sum = Rounder.Exact.sum(a, b, false);
                            long got = z >>> 16 * half & mask;
                            holds &= sum.isNan() ? format.exact(got).isNan() : format.round(sum, "rn") == got;
                        }
                        return holds;
                    });
        }
        forms.addChecked(
                "st.global.v2.f32 [%out], {%a, %b}; red.global.add.v2.f32 [%out], {%b, %c}; ld.global.b64 %z, [%out];",
                "b64",
                List.of("f32", "f32", "f32"),
                (in, z) -> same(in[0], in[1], (int) z) && same(in[1], in[2], (int) (z >>> 32)));
        return forms;
    }

    private static boolean same(long a, long b, int got) {
        float sum = Float.intBitsToFloat((int) a) + Float.intBitsToFloat((int) b);
        return Float.isNaN(sum) ? Float.isNaN(Float.intBitsToFloat(got)) : Float.floatToRawIntBits(sum) == got;
    }

    private static long extended(long raw, int bits, boolean isSigned) {
        return isSigned ? raw << 64 - bits >> 64 - bits : raw & Values.mask("b" + bits);
    }

    private static void atomic(Forms forms, String op, String named, String type, Forms.Truth truth) {
        String memory = "b" + Values.bits(type);
        String store = "st.global." + memory + " [%out], %a; ";
        String load = " ld.global." + memory + " %z, [%out];";
        forms.add(
                store + "atom.global." + op + "." + named + " %z, [%out], %b;", type, List.of(type, type), in -> in[0]);
        forms.add(
                store + "atom.relaxed.gpu.global." + op + "." + named + " %z, [%out], %b;" + load,
                type,
                List.of(type, type),
                truth);
        if (!op.equals("exch")) {
            forms.add(
                    store + "red.global." + op + "." + named + " [%out], %b;" + load, type, List.of(type, type), truth);
        }
    }

    @Test
    void valuesMove() {
        moves().check();
    }

    @Test
    void atomicsChangeMemoryOnce() {
        atomics().check();
    }

    // ------------------------------------------------------------------------------------------------ lanes

    /// A thread reads `[a + 4t]` as `%x`, `[b + 4t]` as `%y` and writes `%z`.
    private static String lanes(String code) {
        return """
                .version 8.5
                .target sm_90a
                .address_size 64
                .visible .entry k(.param .u64 pa, .param .u64 pb, .param .u64 pz) {
                .reg .b32 %t, %x, %y, %z, %w; .reg .b64 %a, %b, %c, %o; .reg .pred %p, %q, %u;
                .shared .align 16 .b8 s[512];
                ld.param.u64 %a, [pa]; ld.param.u64 %b, [pb]; ld.param.u64 %c, [pz];
                mov.u32 %t, %tid.x; mul.wide.u32 %o, %t, 4;
                add.u64 %a, %a, %o; add.u64 %b, %b, %o; add.u64 %c, %c, %o;
                ld.global.b32 %x, [%a]; ld.global.b32 %y, [%b];
                """ + code + "\nst.global.b32 [%c], %z;\nret; }\n";
    }

    private interface OfLane {
        int value(int[] x, int[] y, int lane);
    }

    private record Lanes(String code, int bound, OfLane truth) {}

    private static List<Lanes> laneForms() {
        List<Lanes> all = new java.util.ArrayList<>();
        for (String mode : List.of("up", "down", "bfly", "idx")) {
            for (int clamp : new int[] {31, 0, 0x1f1f, 0x181f, 0x1800, 0x100f, 0x1c00, 0x0010}) {
                for (boolean flag : new boolean[] {false, true}) {
                    String result = flag ? "%z, 1, 0, %p;" : "";
                    all.add(new Lanes(
                            "shfl.sync.%s.b32 %%z|%%p, %%x, %%y, %d, -1; %s"
                                    .formatted(mode, clamp, flag ? "selp.b32 " + result : ""),
                            40,
                            (x, y, lane) -> shuffled(mode, clamp, flag, x, y[lane], lane)));
                }
            }
        }
        all.add(new Lanes("setp.gt.s32 %p, %x, 5; vote.sync.ballot.b32 %z, %p, -1;", 10, (x, _, _) -> ballot(x, 5)));
        all.add(new Lanes(
                "setp.gt.s32 %p, %x, 5; vote.sync.any.pred %q, !%p, -1; selp.b32 %z, 1, 0, %q;",
                10, (x, _, _) -> ballot(x, 5) == -1 ? 0 : 1));
        all.add(new Lanes(
                "setp.gt.s32 %p, %x, 9; vote.sync.all.pred %q, !%p, -1; selp.b32 %z, 1, 0, %q;",
                10, (x, _, _) -> ballot(x, 9) == 0 ? 1 : 0));
        all.add(new Lanes(
                "setp.gt.s32 %p, %x, 9; vote.sync.uni.pred %q, %p, -1; selp.b32 %z, 1, 0, %q;",
                10, (x, _, _) -> ballot(x, 9) == 0 || ballot(x, 9) == -1 ? 1 : 0));
        all.add(new Lanes("match.any.sync.b32 %z, %x, -1;", 5, (x, _, lane) -> equal(x, x[lane])));
        all.add(new Lanes("match.all.sync.b32 %z|%p, %x, -1; @%p add.u32 %z, %z, 3;", 1, (_, _, _) -> 2));
        all.add(new Lanes("match.all.sync.b32 %z|%p, %x, -1; @%p add.u32 %z, %z, 3;", 9, (_, _, _) -> 0));
        for (String op : List.of(
                "add.s32", "add.u32", "min.s32", "max.s32", "min.u32", "max.u32", "and.b32", "or.b32", "xor.b32")) {
            all.add(new Lanes("redux.sync." + op + " %z, %x, -1;", -1, (x, _, _) -> reduced(op, x, -1)));
            all.add(new Lanes(
                    "setp.lt.u32 %p, %t, 11; mov.b32 %z, 7; @%p redux.sync." + op + " %z, %x, 2047;",
                    -1,
                    (x, _, lane) -> lane < 11 ? reduced(op, x, 2047) : 7));
        }
        all.add(new Lanes(
                "elect.sync %w|%p, -1; selp.b32 %z, 5, 6, %p; add.u32 %z, %z, %w;",
                9, (_, _, lane) -> lane == 0 ? 5 : 6));
        all.add(new Lanes(
                "setp.gt.u32 %q, %t, 3; mov.b32 %z, 0; @%q elect.sync _|%p, 0xfffffff0; @%q selp.b32 %z, 5, 6, %p;",
                9, (_, _, lane) -> lane < 4 ? 0 : lane == 4 ? 5 : 6));
        all.add(new Lanes(
                "setp.gt.u32 %q, %t, 3; mov.b32 %z, 0; @%q activemask.b32 %z;", 9, (_, _, lane) -> lane < 4 ? 0 : ~15));
        all.add(new Lanes("movmatrix.sync.aligned.m8n8.trans.b16 %z, %x;", -1, (x, _, lane) -> pair(x, lane, true)));
        for (boolean trans : new boolean[] {false, true}) {
            String t = trans ? ".trans" : "";
            // Rows of 16 bytes, each lane writing a word of a row; row addresses in reverse.
            all.add(new Lanes("""
                    shl.b32 %%w, %%t, 2; mov.b32 %%z, s; add.u32 %%w, %%w, %%z; st.shared.b32 [%%w], %%x;
                    bar.warp.sync -1;
                    and.b32 %%w, %%t, 7; xor.b32 %%w, %%w, 7; shl.b32 %%w, %%w, 4; add.u32 %%w, %%w, %%z;
                    ldmatrix.sync.aligned.m8n8.x1%s.shared.b16 {%%z}, [%%w];""".formatted(t), -1, (x, _, lane) -> {
                int[] reversed = new int[32];
                for (int i = 0; i < 32; i++) {
                    reversed[i] = x[(7 - i / 4) * 4 + i % 4];
                }
                return trans ? pair(reversed, lane, true) : reversed[lane];
            }));
            all.add(new Lanes("""
                    and.b32 %%w, %%t, 7; shl.b32 %%w, %%w, 4; mov.b32 %%z, s; add.u32 %%w, %%w, %%z;
                    stmatrix.sync.aligned.m8n8.x1%s.shared.b16 [%%w], {%%x};
                    bar.warp.sync -1;
                    shl.b32 %%w, %%t, 2; add.u32 %%w, %%w, %%z; ld.shared.b32 %%z, [%%w];""".formatted(t), -1, (x, _, lane) -> trans ? pair(x, lane, true) : x[lane]));
        }
        // Four matrices at a time: lanes 8i to 8i+7 give the rows of matrix i.
        all.add(new Lanes(
                """
                shl.b32 %w, %t, 4; mov.b32 %z, s; add.u32 %w, %w, %z;
                { .reg .b32 %m<4>;
                add.u32 %m0, %x, 1; add.u32 %m1, %x, 2; add.u32 %m2, %x, 3;
                stmatrix.sync.aligned.m8n8.x4.shared.b16 [%w], {%x, %m0, %m1, %m2};
                bar.warp.sync -1;
                ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%m3, %m2, %m1, %m0}, [%w];
                xor.b32 %z, %m0, %m3; add.u32 %z, %z, %m1; }""",
                1000, (x, _, lane) -> {
                    int[][] matrices = new int[4][32];
                    for (int m = 0; m < 4; m++) {
                        for (int i = 0; i < 32; i++) {
                            matrices[m][i] = x[i] + m;
                        }
                    }
                    return (pair(matrices[3], lane, true) ^ pair(matrices[0], lane, true))
                            + pair(matrices[2], lane, true);
                }));
        return all;
    }

    /// @return two numbers of 16 bits of an 8 by 8 matrix whose rows are four words
    private static int pair(int[] words, int lane, boolean isTransposed) {
        int row = lane / 4;
        int column = lane % 4 * 2;
        return number(words, column, row, isTransposed) | number(words, column + 1, row, isTransposed) << 16;
    }

    private static int number(int[] words, int column, int row, boolean isTransposed) {
        int r = isTransposed ? column : row;
        int c = isTransposed ? row : column;
        return words[r * 4 + c / 2] >>> 16 * (c % 2) & 0xFFFF;
    }

    /// The program of the PTX ISA.
    private static int shuffled(String mode, int c, boolean flag, int[] x, int b, int lane) {
        int bval = b & 31;
        int cval = c & 31;
        int segmask = c >> 8 & 31;
        int maxLane = lane & segmask | cval & ~segmask & 31;
        int minLane = lane & segmask;
        int j = switch (mode) {
            case "up" -> lane - bval;
            case "down" -> lane + bval;
            case "bfly" -> lane ^ bval;
            default -> minLane | bval & ~segmask & 31;
        };
        boolean isIn = mode.equals("up") ? j >= maxLane : j <= maxLane;
        return flag ? (isIn ? 1 : 0) : x[isIn ? j : lane];
    }

    private static int ballot(int[] x, int above) {
        int result = 0;
        for (int i = 0; i < 32; i++) {
            result |= x[i] > above ? 1 << i : 0;
        }
        return result;
    }

    private static int equal(int[] x, int value) {
        int result = 0;
        for (int i = 0; i < 32; i++) {
            result |= x[i] == value ? 1 << i : 0;
        }
        return result;
    }

    private static int reduced(String op, int[] x, int members) {
        int result = x[0];
        for (int i = 1; i < 32; i++) {
            if ((members >>> i & 1) != 0) {
                result = switch (op) {
                    case "add.s32", "add.u32" -> result + x[i];
                    case "min.s32" -> Math.min(result, x[i]);
                    case "max.s32" -> Math.max(result, x[i]);
                    case "min.u32" -> Integer.compareUnsigned(result, x[i]) < 0 ? result : x[i];
                    case "max.u32" -> Integer.compareUnsigned(result, x[i]) > 0 ? result : x[i];
                    case "and.b32" -> result & x[i];
                    case "or.b32" -> result | x[i];
                    default -> result ^ x[i];
                };
            }
        }
        return result;
    }

    static List<String> laneTexts() {
        return laneForms().stream().map(form -> lanes(form.code)).toList();
    }

    @TestFactory
    Stream<DynamicTest> lanesExchange() {
        return laneForms().stream()
                .map(form -> DynamicTest.dynamicTest(form.code.strip(), () -> {
                    SplittableRandom random = new SplittableRandom(3);
                    try (EmulatedGpu gpu = Device.emulated()) {
                        Tensor a = gpu.pinned().tensor(DType.I32, 32);
                        Tensor b = gpu.pinned().tensor(DType.I32, 32);
                        Tensor z = gpu.pinned().tensor(DType.I32, 32);
                        int[] x = new int[32];
                        int[] y = new int[32];
                        for (int i = 0; i < 32; i++) {
                            x[i] = form.bound < 0 ? random.nextInt() : random.nextInt(form.bound);
                            y[i] = random.nextInt(40);
                            a.setInt(i, x[i]);
                            b.setInt(i, y[i]);
                        }
                        gpu.stream().launch(gpu.load(lanes(form.code)).function("k"), Launch.of(1, 32), a, b, z);
                        for (int i = 0; i < 32; i++) {
                            assertEquals(form.truth.value(x, y, i), z.getInt(i), "lane " + i);
                        }
                    }
                }));
    }
}
