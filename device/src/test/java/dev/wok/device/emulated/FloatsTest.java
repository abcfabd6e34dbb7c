package dev.wok.device.emulated;

import dev.wok.device.emulated.Rounder.Exact;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Floating-point instructions, against exact numbers rounded by whole numbers alone.
class FloatsTest {
    private static final List<String> MODES = List.of("rn", "rz", "rm", "rp");

    private interface Result {
        /// @param down whether the rounding is down
        Exact of(Exact[] in, boolean down);
    }

    private static Exact[] exacts(Rounder format, boolean flushes, long[] in) {
        Exact[] values = new Exact[in.length];
        for (int i = 0; i < in.length; i++) {
            values[i] = flushes ? format.flushed(in[i]) : format.exact(in[i]);
        }
        return values;
    }

    private static long rounded(Rounder format, boolean flushes, Exact value, String mode) {
        long bits = format.round(value, mode);
        return flushes && !value.isNan() ? format.round(format.flushed(bits), "rn") : bits;
    }

    /// NaN has one shape in what is narrower than 64 bits, and any there.
    private static boolean same(Rounder format, long expected, long got) {
        long mask = format.bits() == 64 ? -1 : (1L << format.bits()) - 1;
        return (expected & mask) == (got & mask)
                || format.bits() == 64
                        && format.exact(expected).isNan()
                        && format.exact(got).isNan();
    }

    private static void add(
            Forms forms, String op, String modifiers, String mode, String type, int operands, Result result) {
        Rounder format = Rounder.of(type);
        boolean flushes = modifiers.contains("ftz");
        boolean saturates = modifiers.contains("sat");
        boolean isRelu = modifiers.contains("relu");
        boolean isPair = type.endsWith("x2");
        String code = "%s%s%s.%s %%z, %%a%s%s;"
                .formatted(
                        op,
                        mode.isEmpty() ? "" : "." + mode,
                        modifiers,
                        type,
                        operands > 1 ? ", %b" : "",
                        operands > 2 ? ", %c" : "");
        forms.addChecked(code, type, java.util.Collections.nCopies(operands, type), (in, z) -> {
            boolean holds = true;
            for (int half = 0; half < (isPair ? 2 : 1); half++) {
                long[] part = new long[in.length];
                for (int i = 0; i < in.length; i++) {
                    part[i] = isPair ? in[i] >>> 16 * half & 0xFFFF : in[i];
                }
                Exact exact = result.of(exacts(format, flushes, part), mode.equals("rm"));
                long bits = rounded(format, flushes, exact, mode);
                if (saturates) {
                    bits = exact.isNan() || exact.isNegative()
                            ? 0
                            : Math.min(bits, format.round(Exact.of(BigInteger.ONE), "rn"));
                }
                if (isRelu && exact.isNegative() && !exact.isNan()) {
                    bits = 0;
                }
                holds &= same(format, bits, z >>> 16 * half);
            }
            return holds;
        });
    }

    private static Exact fused(Exact[] in, boolean down) {
        return Exact.sum(Exact.product(in[0], in[1]), in[2], down);
    }

    private static Exact sum(Exact[] in, boolean down) {
        return Exact.sum(in[0], in[1], down);
    }

    private static Exact difference(Exact[] in, boolean down) {
        return Exact.sum(in[0], in[1].negated(), down);
    }

    static Forms arithmetic() {
        Forms forms = new Forms();
        for (String type : List.of("f32", "f64")) {
            for (String mode : MODES) {
                for (String ftz : type.equals("f32") ? List.of("", ".ftz", ".sat", ".ftz.sat") : List.of("")) {
                    add(forms, "add", ftz, mode, type, 2, FloatsTest::sum);
                    add(forms, "sub", ftz, mode, type, 2, FloatsTest::difference);
                    add(forms, "mul", ftz, mode, type, 2, (in, _) -> Exact.product(in[0], in[1]));
                    add(forms, "fma", ftz, mode, type, 3, FloatsTest::fused);
                    if (!ftz.contains("sat")) {
                        add(forms, "div", ftz, mode, type, 2, (in, _) -> Exact.quotient(in[0], in[1]));
                        add(
                                forms,
                                "rcp",
                                ftz,
                                mode,
                                type,
                                1,
                                (in, _) -> Exact.quotient(Exact.of(BigInteger.ONE), in[0]));
                        add(forms, "sqrt", ftz, mode, type, 1, (in, _) -> Exact.root(in[0]));
                    }
                }
            }
            add(forms, "mad", "", "rn", type, 3, FloatsTest::fused);
        }
        for (String type : List.of("f16", "f16x2", "bf16", "bf16x2")) {
            boolean isBrain = type.startsWith("bf");
            String mode = isBrain ? "rn" : "";
            for (String how : isBrain ? List.of("") : List.of("", ".ftz", ".sat")) {
                add(forms, "add", how, "rn", type, 2, FloatsTest::sum);
                add(forms, "sub", how, "rn", type, 2, FloatsTest::difference);
                add(forms, "mul", how, "rn", type, 2, (in, _) -> Exact.product(in[0], in[1]));
                add(forms, "fma", how, "rn", type, 3, FloatsTest::fused);
            }
            add(forms, "fma", ".relu", "rn", type, 3, FloatsTest::fused);
        }
        return forms;
    }

    static Forms order() {
        Forms forms = new Forms();
        for (String type : List.of("f32", "f64", "f16", "bf16")) {
            Rounder format = Rounder.of(type);
            List<String> how = new ArrayList<>(List.of(""));
            if (type.equals("f32") || type.equals("f16")) {
                how.add(".ftz");
            }
            if (!type.equals("f64")) {
                how.add(".NaN");
                how.add(".xorsign.abs");
            }
            for (String modifier : how) {
                for (String op : List.of("min", "max")) {
                    boolean flushes = modifier.equals(".ftz");
                    forms.addChecked(
                            "%s%s.%s %%z, %%a, %%b;".formatted(op, modifier, type),
                            type,
                            List.of(type, type),
                            (in, z) -> {
                                Exact a = flushes ? format.flushed(in[0]) : format.exact(in[0]);
                                Exact b = flushes ? format.flushed(in[1]) : format.exact(in[1]);
                                boolean isNegative = a.isNegative() != b.isNegative();
                                if (modifier.startsWith(".xor")) {
                                    a = a.isNegative() ? a.negated() : a;
                                    b = b.isNegative() ? b.negated() : b;
                                }
                                Exact chosen;
                                if (a.isNan() || b.isNan()) {
                                    chosen = modifier.equals(".NaN") || a.isNan() && b.isNan()
                                            ? Exact.NAN
                                            : a.isNan() ? b : a;
                                    if (modifier.startsWith(".xor")) {
                                        // The sign of NaN takes part; it is not worth a truth.
                                        return true;
                                    }
                                } else {
                                    boolean isLess =
                                            order(a, b) < 0 || order(a, b) == 0 && a.isNegative() && !b.isNegative();
                                    chosen = isLess == op.equals("min") ? a : b;
                                }
                                if (modifier.startsWith(".xor")) {
                                    chosen = isNegative ? chosen.negated() : chosen;
                                }
                                return same(format, format.round(chosen, "rn"), z);
                            });
                }
            }
            for (String op : List.of(
                    "eq", "ne", "lt", "le", "gt", "ge", "equ", "neu", "ltu", "leu", "gtu", "geu", "num", "nan")) {
                for (String ftz : type.equals("f32") ? List.of("", ".ftz") : List.of("")) {
                    forms.add(
                            "setp.%s%s.%s %%q, %%a, %%b;".formatted(op, ftz, type), "pred", List.of(type, type), in -> {
                                Exact a = ftz.isEmpty() ? format.exact(in[0]) : format.flushed(in[0]);
                                Exact b = ftz.isEmpty() ? format.exact(in[1]) : format.flushed(in[1]);
                                return holds(op, a, b) ? 1 : 0;
                            });
                }
            }
            for (String op : List.of("abs", "neg")) {
                forms.addChecked("%s.%s %%z, %%a;".formatted(op, type), type, List.of(type), (in, z) -> {
                    Exact a = format.exact(in[0]);
                    if (a.isNan()) {
                        return format.exact(z & Values.mask(type)).isNan();
                    }
                    long sign = format.sign();
                    return (z & Values.mask(type)) == (op.equals("abs") ? in[0] & ~sign : in[0] ^ sign);
                });
            }
        }
        for (String type : List.of("f32", "f64")) {
            Rounder format = Rounder.of(type);
            forms.add(
                    "copysign.%s %%z, %%a, %%b;".formatted(type),
                    type,
                    List.of(type, type),
                    in -> in[1] & ~format.sign() | in[0] & format.sign());
            for (String what : List.of("finite", "infinite", "number", "notanumber", "normal", "subnormal")) {
                forms.add("testp.%s.%s %%q, %%a;".formatted(what, type), "pred", List.of(type), in -> {
                    Exact a = format.exact(in[0]);
                    boolean isSubnormal = !a.isZero() && format.flushed(in[0]).isZero();
                    boolean isFinite = !a.isNan() && !a.isInfinite();
                    return switch (what) {
                                case "finite" -> isFinite;
                                case "infinite" -> a.isInfinite();
                                case "number" -> !a.isNan();
                                case "notanumber" -> a.isNan();
                                case "normal" -> isFinite && !a.isZero() && !isSubnormal;
                                default -> isSubnormal;
                            }
                            ? 1
                            : 0;
                });
            }
        }
        forms.add(
                "set.gt.f32.f32 %z, %a, %b;",
                "f32",
                List.of("f32", "f32"),
                in -> holds("gt", Rounder.F32.exact(in[0]), Rounder.F32.exact(in[1])) ? 0x3f800000 : 0);
        forms.add(
                "set.leu.u32.f64 %z, %a, %b;",
                "u32",
                List.of("f64", "f64"),
                in -> holds("leu", Rounder.F64.exact(in[0]), Rounder.F64.exact(in[1])) ? -1 : 0);
        return forms;
    }

    private static int order(Exact a, Exact b) {
        if (a.isInfinite() || b.isInfinite()) {
            int x = a.isInfinite() ? (a.isNegative() ? -1 : 1) : 0;
            int y = b.isInfinite() ? (b.isNegative() ? -1 : 1) : 0;
            return Integer.compare(x, y);
        }
        Exact difference = Exact.sum(a, b.negated(), false);
        return difference.isZero() ? 0 : difference.isNegative() ? -1 : 1;
    }

    private static boolean holds(String op, Exact a, Exact b) {
        boolean isUnordered = a.isNan() || b.isNan();
        if (op.equals("num") || op.equals("nan")) {
            return isUnordered == op.equals("nan");
        }
        if (isUnordered) {
            return op.endsWith("u");
        }
        int order = order(a, b);
        return switch (op.substring(0, 2)) {
            case "eq" -> order == 0;
            case "ne" -> order != 0;
            case "lt" -> order < 0;
            case "le" -> order <= 0;
            case "gt" -> order > 0;
            default -> order >= 0;
        };
    }

    private interface Real {
        double of(double a);
    }

    /// What PTX allows approximate functions to miss.
    private static void approximate(Forms forms, String code, Real truth, double relative, double absolute) {
        forms.addChecked(code + " %z, %a;", "f32", List.of("f32"), (in, z) -> {
            boolean flushes = code.contains("ftz");
            double a = flushed(Float.intBitsToFloat((int) in[0]), flushes);
            double expected = truth.of(a);
            double got = Float.intBitsToFloat((int) z);
            if (Double.isNaN(expected) || Double.isNaN(got)) {
                return Double.isNaN(expected) && Double.isNaN(got);
            }
            double least = flushes ? 0x1p-126 : 0x1p-149;
            if (Math.abs(expected) > Float.MAX_VALUE || Double.isInfinite(got)) {
                return Math.abs(expected) >= 0x1.fffffep127 && got == Math.copySign(Double.POSITIVE_INFINITY, expected);
            }
            return Math.abs(got - expected) <= Math.max(Math.abs(expected) * relative, Math.max(absolute, least))
                    && (expected != 0 || Double.compare(expected, got) == 0);
        });
    }

    private static double flushed(float a, boolean flushes) {
        return flushes && Math.abs(a) < 0x1p-126 ? Math.copySign(0.0, a) : a;
    }

    static Forms approximations() {
        Forms forms = new Forms();
        for (String ftz : List.of("", ".ftz")) {
            approximate(forms, "rcp.approx" + ftz + ".f32", a -> 1 / a, 0x1p-23, 0);
            approximate(forms, "sqrt.approx" + ftz + ".f32", StrictMath::sqrt, 0x1p-22, 0);
            approximate(forms, "rsqrt.approx" + ftz + ".f32", a -> a == 0 ? 1 / a : 1 / StrictMath.sqrt(a), 0x1p-22, 0);
            approximate(forms, "ex2.approx" + ftz + ".f32", a -> StrictMath.pow(2, a), 0x1p-22, 0);
            approximate(
                    forms, "lg2.approx" + ftz + ".f32", a -> StrictMath.log(a) / StrictMath.log(2), 0x1p-22, 0x1p-22);
            approximate(forms, "sin.approx" + ftz + ".f32", StrictMath::sin, 0, 0x1p-20);
            approximate(forms, "cos.approx" + ftz + ".f32", StrictMath::cos, 0, 0x1p-20);
        }
        approximate(forms, "tanh.approx.f32", StrictMath::tanh, 0x1p-11, 0);
        return forms;
    }

    @Test
    void arithmeticIsRoundedOnce() {
        arithmetic().check();
    }

    @Test
    void orderKnowsNanAndZeros() {
        order().check();
    }

    @Test
    void approximationsAreWithinTheirErrors() {
        approximations().check();
    }
}
