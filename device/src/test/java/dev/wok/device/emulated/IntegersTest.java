package dev.wok.device.emulated;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Instructions on whole numbers and on bits, against whole numbers of any size.
class IntegersTest {
    private static final List<String> TYPES = List.of("u16", "s16", "u32", "s32", "u64", "s64");

    private static BigInteger number(String type, long raw) {
        int bits = Values.bits(type);
        BigInteger value = new BigInteger(Long.toUnsignedString(raw & Values.mask(type)));
        return type.startsWith("s") && value.testBit(bits - 1) ? value.subtract(BigInteger.ONE.shiftLeft(bits)) : value;
    }

    private interface Of2 {
        BigInteger of(BigInteger a, BigInteger b);
    }

    private static void two(Forms forms, String code, String type, Of2 truth) {
        forms.add(
                code + " %z, %a, %b;",
                type,
                List.of(type, type),
                in -> truth.of(number(type, in[0]), number(type, in[1])).longValue());
    }

    static Forms arithmetic() {
        Forms forms = new Forms();
        for (String t : TYPES) {
            int bits = Values.bits(t);
            two(forms, "add." + t, t, BigInteger::add);
            two(forms, "sub." + t, t, BigInteger::subtract);
            two(forms, "mul.lo." + t, t, BigInteger::multiply);
            two(forms, "mul.hi." + t, t, (a, b) -> a.multiply(b).shiftRight(bits));
            two(forms, "min." + t, t, BigInteger::min);
            two(forms, "max." + t, t, BigInteger::max);
            // What PTX leaves open: division by zero gives all ones, and the remainder is the dividend.
            two(forms, "div." + t, t, (a, b) -> b.signum() == 0 ? BigInteger.ONE.negate() : a.divide(b));
            two(forms, "rem." + t, t, (a, b) -> b.signum() == 0 ? a : a.remainder(b));
            forms.add(
                    "sad." + t + " %z, %a, %b, %c;",
                    t,
                    List.of(t, t, t),
                    in -> number(t, in[0])
                            .subtract(number(t, in[1]))
                            .abs()
                            .add(number(t, in[2]))
                            .longValue());
            forms.add(
                    "mad.lo." + t + " %z, %a, %b, %c;",
                    t,
                    List.of(t, t, t),
                    in -> number(t, in[0])
                            .multiply(number(t, in[1]))
                            .add(number(t, in[2]))
                            .longValue());
            forms.add(
                    "mad.hi." + t + " %z, %a, %b, %c;",
                    t,
                    List.of(t, t, t),
                    in -> number(t, in[0])
                            .multiply(number(t, in[1]))
                            .shiftRight(bits)
                            .add(number(t, in[2]))
                            .longValue());
            if (bits < 64) {
                String wide = t.charAt(0) + "" + 2 * bits;
                forms.add(
                        "mul.wide." + t + " %z, %a, %b;",
                        wide,
                        List.of(t, t),
                        in -> number(t, in[0]).multiply(number(t, in[1])).longValue());
                forms.add(
                        "mad.wide." + t + " %z, %a, %b, %c;",
                        wide,
                        List.of(t, t, wide),
                        in -> number(t, in[0])
                                .multiply(number(t, in[1]))
                                .add(number(wide, in[2]))
                                .longValue());
            }
            if (t.startsWith("s")) {
                forms.add(
                        "abs." + t + " %z, %a;",
                        t,
                        List.of(t),
                        in -> number(t, in[0]).abs().longValue());
                forms.add(
                        "neg." + t + " %z, %a;",
                        t,
                        List.of(t),
                        in -> number(t, in[0]).negate().longValue());
            }
        }
        two(forms, "add.sat.s32", "s32", (a, b) -> clamp(a.add(b)));
        two(forms, "sub.sat.s32", "s32", (a, b) -> clamp(a.subtract(b)));
        forms.add(
                "mad.hi.sat.s32 %z, %a, %b, %c;",
                "s32",
                List.of("s32", "s32", "s32"),
                in -> clamp(number("s32", in[0])
                                .multiply(number("s32", in[1]))
                                .shiftRight(32)
                                .add(number("s32", in[2])))
                        .longValue());
        forms.add(
                "min.relu.s32 %z, %a, %b;",
                "s32", List.of("s32", "s32"), in -> Math.max(0, Math.min((int) in[0], (int) in[1])));
        forms.add(
                "max.relu.s32 %z, %a, %b;",
                "s32", List.of("s32", "s32"), in -> Math.max(0, Math.max((int) in[0], (int) in[1])));
        for (String t : List.of("u16x2", "s16x2")) {
            String one = t.substring(0, 3);
            forms.add("add." + t + " %z, %a, %b;", t, List.of(t, t), in -> halves(in, (a, b) -> a + b));
            forms.add(
                    "min." + t + " %z, %a, %b;",
                    t,
                    List.of(t, t),
                    in -> halves(
                            in, (a, b) -> number(one, a).min(number(one, b)).longValue()));
            forms.add(
                    "max." + t + " %z, %a, %b;",
                    t,
                    List.of(t, t),
                    in -> halves(
                            in, (a, b) -> number(one, a).max(number(one, b)).longValue()));
        }
        // The product of 64 bits and 64 bits from halves, and a sum.
        forms.add(
                """
                { .reg .b32 %l<2>, %m<2>, %r<4>;
                mov.b64 {%l0, %l1}, %a; mov.b64 {%m0, %m1}, %b; mov.b64 {%r0, %r1}, %c;
                mad.lo.cc.u32 %r0, %l0, %m0, %r0; madc.hi.cc.u32 %r1, %l0, %m0, %r1; madc.hi.u32 %r2, %l0, 0, 0;
                mad.lo.cc.u32 %r1, %l0, %m1, %r1; madc.hi.u32 %r2, %l0, %m1, %r2;
                mov.b64 %z, {%r1, %r2}; }""",
                "u64", List.of("u64", "u64", "u64"), in -> {
                    BigInteger factor = number("u32", in[0]);
                    return factor.multiply(number("u64", in[1]))
                            .add(number("u64", in[2]))
                            .shiftRight(32)
                            .longValue();
                });
        // 128 bits in four words, and in two.
        chain(forms, "add", true);
        chain(forms, "sub", false);
        return forms;
    }

    private static BigInteger clamp(BigInteger value) {
        return value.max(BigInteger.valueOf(Integer.MIN_VALUE)).min(BigInteger.valueOf(Integer.MAX_VALUE));
    }

    private static long halves(long[] in, java.util.function.LongBinaryOperator operator) {
        return operator.applyAsLong(in[0] & 0xFFFF, in[1] & 0xFFFF) & 0xFFFF
                | (operator.applyAsLong(in[0] >>> 16 & 0xFFFF, in[1] >>> 16 & 0xFFFF) & 0xFFFF) << 16;
    }

    private static void chain(Forms forms, String op, boolean adds) {
        String code = """
                { .reg .b32 %%l<2>, %%m<2>, %%r<3>;
                mov.b64 {%%l0, %%l1}, %%a; mov.b64 {%%m0, %%m1}, %%b;
                %1$s.cc.u32 %%r0, %%l0, %%m0; %1$sc.cc.u32 %%r1, %%l1, %%m1; %1$sc.u32 %%r2, 0, 0;
                mov.b64 %%z, {%2$s, %%r2}; }""";
        forms.add(code.formatted(op, "%r1"), "u64", List.of("u64", "u64"), in -> {
            BigInteger sum = adds
                    ? number("u64", in[0]).add(number("u64", in[1]))
                    : number("u64", in[0]).subtract(number("u64", in[1]));
            return sum.shiftRight(32).longValue();
        });
        forms.add(
                "{ .reg .u64 %l, %h; " + op + ".cc.u64 %l, %a, %b; " + op + "c.u64 %z, %a, %c; }",
                "u64",
                List.of("u64", "u64", "u64"),
                in -> {
                    BigInteger low = adds
                            ? number("u64", in[0]).add(number("u64", in[1]))
                            : number("u64", in[0]).subtract(number("u64", in[1]));
                    BigInteger high = adds
                            ? number("u64", in[0]).add(number("u64", in[2]))
                            : number("u64", in[0]).subtract(number("u64", in[2]));
                    return high.add(low.shiftRight(64)).longValue();
                });
    }

    private static boolean bit(long raw, long at) {
        return at >= 0 && at < 64 && (raw >>> at & 1) != 0;
    }

    static Forms bits() {
        Forms forms = new Forms();
        for (String t : List.of("b16", "b32", "b64")) {
            int bits = Values.bits(t);
            forms.add("and." + t + " %z, %a, %b;", t, List.of(t, t), in -> in[0] & in[1]);
            forms.add("or." + t + " %z, %a, %b;", t, List.of(t, t), in -> in[0] | in[1]);
            forms.add("xor." + t + " %z, %a, %b;", t, List.of(t, t), in -> in[0] ^ in[1]);
            forms.add("not." + t + " %z, %a;", t, List.of(t), in -> ~in[0]);
            forms.add("cnot." + t + " %z, %a;", t, List.of(t), in -> in[0] == 0 ? 1 : 0);
            forms.add("shl." + t + " %z, %a, %b;", t, List.of(t, "size"), in -> shift(in[0], bits, in[1], false, true));
            forms.add(
                    "shr." + t + " %z, %a, %b;", t, List.of(t, "size"), in -> shift(in[0], bits, in[1], false, false));
            forms.add(
                    "shr.s" + bits + " %z, %a, %b;",
                    t,
                    List.of("s" + bits, "size"),
                    in -> shift(in[0], bits, in[1], true, false));
            forms.add(
                    "shr.u" + bits + " %z, %a, %b;",
                    t,
                    List.of("u" + bits, "u32"),
                    in -> shift(in[0], bits, in[1], false, false));
            if (bits > 16) {
                forms.add(
                        "popc." + t + " %z, %a;",
                        "u32",
                        List.of(t),
                        in -> new BigInteger(Long.toUnsignedString(in[0])).bitCount());
                forms.add(
                        "clz." + t + " %z, %a;",
                        "u32",
                        List.of(t),
                        in -> bits - new BigInteger(Long.toUnsignedString(in[0])).bitLength());
                forms.add("brev." + t + " %z, %a;", t, List.of(t), in -> {
                    long result = 0;
                    for (int i = 0; i < bits; i++) {
                        result |= bit(in[0], i) ? 1L << bits - 1 - i : 0;
                    }
                    return result;
                });
                forms.add("bfi." + t + " %z, %a, %b, %c, %e;", t, List.of(t, t, "size", "size"), in -> {
                    // The loop of the PTX ISA.
                    long from = in[2] & 255;
                    long length = in[3] & 255;
                    long result = in[1];
                    for (long i = 0; i < length && from + i < bits; i++) {
                        result = result & ~(1L << from + i) | (bit(in[0], i) ? 1L << from + i : 0);
                    }
                    return result;
                });
                for (String s : List.of("u" + bits, "s" + bits)) {
                    boolean isSigned = s.startsWith("s");
                    forms.add("bfe." + s + " %z, %a, %b, %c;", s, List.of(s, "size", "size"), in -> {
                        long from = in[1] & 255;
                        long length = in[2] & 255;
                        boolean sign = isSigned && length != 0 && bit(in[0], Math.min(from + length - 1, bits - 1));
                        long result = 0;
                        for (int i = 0; i < bits; i++) {
                            boolean one = i < length && from + i < bits ? bit(in[0], from + i) : sign;
                            result |= one ? 1L << i : 0;
                        }
                        return result;
                    });
                    for (String shift : List.of("", "shiftamt.")) {
                        forms.add("bfind." + shift + s + " %z, %a;", "u32", List.of(s), in -> {
                            long looked = isSigned && bit(in[0], bits - 1) ? ~in[0] : in[0];
                            for (int i = bits - 1; i >= 0; i--) {
                                if (bit(looked, i)) {
                                    return shift.isEmpty() ? i : bits - 1 - i;
                                }
                            }
                            return -1;
                        });
                    }
                }
            }
        }
        for (String way : List.of("l", "r")) {
            for (String mode : List.of("clamp", "wrap")) {
                forms.add(
                        "shf." + way + "." + mode + ".b32 %z, %a, %b, %c;",
                        "b32",
                        List.of("b32", "b32", "size"),
                        in -> {
                            int by = mode.equals("clamp") ? (int) Math.min(in[2], 32) : (int) in[2] & 31;
                            BigInteger both = new BigInteger(Long.toUnsignedString(in[1] << 32 | in[0]));
                            return (way.equals("l") ? both.shiftLeft(by).shiftRight(32) : both.shiftRight(by))
                                    .longValue();
                        });
            }
        }
        for (int table : new int[] {0, 1, 0x80, 0x96, 0xe8, 0xca, 0x3c, 0xff, 0x40, 0x1b}) {
            forms.add("lop3.b32 %z, %a, %b, %c, " + table + ";", "b32", List.of("b32", "b32", "b32"), in -> {
                long result = 0;
                for (int i = 0; i < 32; i++) {
                    int at = (bit(in[0], i) ? 4 : 0) + (bit(in[1], i) ? 2 : 0) + (bit(in[2], i) ? 1 : 0);
                    result |= bit(table, at) ? 1L << i : 0;
                }
                return result;
            });
        }
        permutations(forms);
        for (String a : List.of("u32", "s32")) {
            for (String b : List.of("u32", "s32")) {
                String sum = a.equals("u32") && b.equals("u32") ? "u32" : "s32";
                forms.add("dp4a." + a + "." + b + " %z, %a, %b, %c;", sum, List.of(a, b, sum), in -> {
                    long total = in[2];
                    for (int i = 0; i < 4; i++) {
                        total += number(a.charAt(0) + "8", in[0] >>> 8 * i).longValue()
                                * number(b.charAt(0) + "8", in[1] >>> 8 * i).longValue();
                    }
                    return total;
                });
                for (String half : List.of("lo", "hi")) {
                    forms.add("dp2a." + half + "." + a + "." + b + " %z, %a, %b, %c;", sum, List.of(a, b, sum), in -> {
                        long total = in[2];
                        for (int i = 0; i < 2; i++) {
                            total +=
                                    number(a.charAt(0) + "16", in[0] >>> 16 * i).longValue()
                                            * number(b.charAt(0) + "8", in[1] >>> 8 * i + (half.equals("hi") ? 16 : 0))
                                                    .longValue();
                        }
                        return total;
                    });
                }
            }
        }
        forms.add(
                "bmsk.clamp.b32 %z, %a, %b;",
                "b32", List.of("size", "size"), in -> {
                    long result = 0;
                    for (int i = 0; i < 32; i++) {
                        result |= i >= in[0] && i < in[0] + in[1] ? 1L << i : 0;
                    }
                    return result;
                });
        return forms;
    }

    private static long shift(long raw, int bits, long by, boolean isSigned, boolean isLeft) {
        BigInteger value = number((isSigned ? "s" : "u") + bits, raw);
        int most = (int) Math.min(by & 0xFFFF_FFFFL, 200);
        return (isLeft ? value.shiftLeft(most) : value.shiftRight(most)).longValue();
    }

    private static void permutations(Forms forms) {
        forms.add(
                "prmt.b32 %z, %a, %b, %c;",
                "b32", List.of("b32", "b32", "b32"), in -> {
                    long result = 0;
                    for (int i = 0; i < 4; i++) {
                        result |= chosen(in, (int) (in[2] >>> 4 * i) & 15) << 8 * i;
                    }
                    return result;
                });
        // The table of the PTX ISA, for selectors 0 to 3: bytes 3 to 0.
        record Mode(String name, int... digits) {}
        List<Mode> modes = List.of(
                new Mode("f4e", 0x3210, 0x4321, 0x5432, 0x6543),
                new Mode("b4e", 0x5670, 0x6701, 0x7012, 0x0123),
                new Mode("rc8", 0x0000, 0x1111, 0x2222, 0x3333),
                new Mode("ecl", 0x3210, 0x3211, 0x3222, 0x3333),
                new Mode("ecr", 0x0000, 0x1110, 0x2210, 0x3210),
                new Mode("rc16", 0x1010, 0x3232, 0x1010, 0x3232));
        for (Mode mode : modes) {
            forms.add("prmt.b32." + mode.name + " %z, %a, %b, %c;", "b32", List.of("b32", "b32", "b32"), in -> {
                long result = 0;
                for (int i = 0; i < 4; i++) {
                    result |= chosen(in, mode.digits[(int) in[2] & 3] >>> 4 * i & 7) << 8 * i;
                }
                return result;
            });
        }
    }

    private static long chosen(long[] in, int selector) {
        long one = (selector & 4) == 0 ? in[0] >>> 8 * (selector & 3) & 0xFF : in[1] >>> 8 * (selector & 3) & 0xFF;
        return (selector & 8) == 0 ? one : one > 127 ? 0xFF : 0;
    }

    static Forms comparisons() {
        Forms forms = new Forms();
        List<String> all = new ArrayList<>(TYPES);
        all.addAll(List.of("b16", "b32", "b64"));
        for (String t : all) {
            List<String> operators = t.startsWith("b")
                    ? List.of("eq", "ne")
                    : t.startsWith("u")
                            ? List.of("eq", "ne", "lt", "le", "gt", "ge", "lo", "ls", "hi", "hs")
                            : List.of("eq", "ne", "lt", "le", "gt", "ge");
            for (String op : operators) {
                forms.add("setp." + op + "." + t + " %q, %a, %b;", "pred", List.of(t, t), in -> holds(op, t, in));
                forms.add("set." + op + ".u32." + t + " %z, %a, %b;", "u32", List.of(t, t), in -> -holds(op, t, in));
            }
            forms.add(
                    "setp.eq.and." + t + " %q, %a, %b, !%c;",
                    "pred",
                    List.of(t, t, "pred"),
                    in -> holds("eq", t, in) & 1 - in[2]);
            forms.add(
                    "setp.ne.or." + t + " %q, %a, %b, %c;",
                    "pred",
                    List.of(t, t, "pred"),
                    in -> holds("ne", t, in) | in[2]);
            forms.add(
                    "{ .reg .pred %u; setp.eq.xor." + t + " %u|%q, %a, %b, %c; }",
                    "pred",
                    List.of(t, t, "pred"),
                    in -> 1 - holds("eq", t, in) ^ in[2]);
            forms.add("selp." + t + " %z, %a, %b, %c;", t, List.of(t, t, "pred"), in -> in[2] != 0 ? in[0] : in[1]);
            if (!t.endsWith("16")) {
                forms.add(
                        "slct." + t + ".s32 %z, %a, %b, %c;",
                        t,
                        List.of(t, t, "s32"),
                        in -> (int) in[2] >= 0 ? in[0] : in[1]);
            }
        }
        forms.add(
                "slct.b32.f32 %z, %a, %b, %c;",
                "b32", List.of("b32", "b32", "f32"), in -> Float.intBitsToFloat((int) in[2]) >= 0 ? in[0] : in[1]);
        forms.add(
                "set.lt.f32.s32 %z, %a, %b;",
                "f32", List.of("s32", "s32"), in -> (int) in[0] < (int) in[1] ? Float.floatToRawIntBits(1) : 0);
        for (String op : List.of("and", "or", "xor")) {
            forms.add(
                    op + ".pred %q, %a, %b;",
                    "pred",
                    List.of("pred", "pred"),
                    in -> op.equals("and") ? in[0] & in[1] : op.equals("or") ? in[0] | in[1] : in[0] ^ in[1]);
        }
        forms.add("not.pred %q, %a;", "pred", List.of("pred"), in -> 1 - in[0]);
        return forms;
    }

    private static long holds(String op, String type, long[] in) {
        int order = number(type, in[0]).compareTo(number(type, in[1]));
        boolean holds = switch (op) {
            case "eq" -> order == 0;
            case "ne" -> order != 0;
            case "lt", "lo" -> order < 0;
            case "le", "ls" -> order <= 0;
            case "gt", "hi" -> order > 0;
            default -> order >= 0;
        };
        return holds ? 1 : 0;
    }

    @Test
    void arithmeticIsThatOfWholeNumbers() {
        arithmetic().check();
    }

    @Test
    void bitsAreThoseOfThePtxIsa() {
        bits().check();
    }

    @Test
    void comparisonsHold() {
        comparisons().check();
    }
}
