package dev.wok.device.emulated;

import dev.wok.device.emulated.Rounder.Exact;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/// `cvt` between all types, against exact numbers.
class ConversionsTest {
    private static final List<String> INTEGERS = List.of("u8", "s8", "u16", "s16", "u32", "s32", "u64", "s64");
    private static final List<String> FLOATS = List.of("f16", "bf16", "f32", "f64");
    private static final List<String> MODES = List.of("rn", "rz", "rm", "rp");

    private static BigInteger number(String type, long raw) {
        int bits = Values.bits(type);
        BigInteger value = new BigInteger(Long.toUnsignedString(raw & Values.mask(type)));
        return type.startsWith("s") && value.testBit(bits - 1) ? value.subtract(BigInteger.ONE.shiftLeft(bits)) : value;
    }

    private static BigInteger clamp(BigInteger value, String type) {
        int bits = Values.bits(type);
        boolean isSigned = type.startsWith("s");
        BigInteger most = BigInteger.ONE.shiftLeft(isSigned ? bits - 1 : bits).subtract(BigInteger.ONE);
        BigInteger least = isSigned ? most.not() : BigInteger.ZERO;
        return value.max(least).min(most);
    }

    /// @return the whole number that an exact one is rounded to
    private static BigInteger whole(Exact value, String mode) {
        if (value.exponent() >= 0) {
            BigInteger size = value.whole().shiftLeft(Math.min(value.exponent(), 5000));
            return value.isNegative() ? size.negate() : size;
        }
        BigInteger signed = value.isNegative() ? value.whole().negate() : value.whole();
        int down = -value.exponent();
        BigInteger floor = signed.shiftRight(down);
        BigInteger rest = signed.subtract(floor.shiftLeft(down));
        if (rest.signum() == 0) {
            return floor;
        }
        int half = rest.shiftLeft(1).compareTo(BigInteger.ONE.shiftLeft(down));
        boolean up = switch (mode) {
            case "rmi" -> false;
            case "rpi" -> true;
            case "rzi" -> value.isNegative();
            default -> half > 0 || half == 0 && floor.testBit(0);
        };
        return up ? floor.add(BigInteger.ONE) : floor;
    }

    static Forms integers() {
        Forms forms = new Forms();
        for (String to : INTEGERS) {
            for (String from : INTEGERS) {
                forms.add(
                        "cvt.%s.%s %%z, %%a;".formatted(to, from),
                        to,
                        List.of(from),
                        in -> number(from, in[0]).longValue());
                boolean loses = from.startsWith("s")
                        ? to.startsWith("u") || Values.bits(to) < Values.bits(from)
                        : Values.bits(to) < Values.bits(from)
                                || to.startsWith("s") && Values.bits(to) == Values.bits(from);
                if (loses) {
                    forms.add(
                            "cvt.sat.%s.%s %%z, %%a;".formatted(to, from),
                            to,
                            List.of(from),
                            in -> clamp(number(from, in[0]), to).longValue());
                }
            }
            for (String from : FLOATS) {
                Rounder format = Rounder.of(from);
                if (from.equals("bf16") && Values.bits(to) == 8) {
                    continue;
                }
                for (String mode : List.of("rni", "rzi", "rmi", "rpi")) {
                    for (String ftz : from.equals("f32") ? List.of("", ".ftz") : List.of("")) {
                        forms.add("cvt.%s%s.%s.%s %%z, %%a;".formatted(mode, ftz, to, from), to, List.of(from), in -> {
                            Exact a = ftz.isEmpty() ? format.exact(in[0]) : format.flushed(in[0]);
                            if (a.isNan()) {
                                return 0;
                            }
                            BigInteger huge = BigInteger.ONE.shiftLeft(100);
                            BigInteger value =
                                    a.isInfinite() ? (a.isNegative() ? huge.negate() : huge) : whole(a, mode);
                            return clamp(value, to).longValue();
                        });
                    }
                }
            }
        }
        for (String from : INTEGERS) {
            for (String to : FLOATS) {
                if (to.equals("bf16") && Values.bits(from) == 8) {
                    continue;
                }
                for (String mode : MODES) {
                    forms.add(
                            "cvt.%s.%s.%s %%z, %%a;".formatted(mode, to, from),
                            to,
                            List.of(from),
                            in -> Rounder.of(to).round(Exact.of(number(from, in[0])), mode));
                }
            }
        }
        for (String type : List.of("f16", "f32", "f64")) {
            Rounder format = Rounder.of(type);
            for (String mode : List.of("rni", "rzi", "rmi", "rpi")) {
                forms.addChecked("cvt.%s.%s.%s %%z, %%a;".formatted(mode, type, type), type, List.of(type), (in, z) -> {
                    Exact a = format.exact(in[0]);
                    if (a.isNan()) {
                        return format.exact(z & Values.mask(type)).isNan();
                    }
                    Exact rounded = a.isInfinite()
                            ? a
                            : Exact.of(a.isNegative(), whole(a, mode).abs(), 0, false);
                    return format.round(rounded, "rn") == (z & Values.mask(type));
                });
            }
        }
        for (String to : List.of("u16", "s16")) {
            forms.add(
                    "cvt.pack.sat." + to + ".s32 %z, %a, %b;",
                    "b32",
                    List.of("s32", "s32"),
                    in -> clamp(number("s32", in[1]), to).longValue() & 0xFFFF
                            | (clamp(number("s32", in[0]), to).longValue() & 0xFFFF) << 16);
        }
        for (String to : List.of("u8", "s8")) {
            forms.add(
                    "cvt.pack.sat." + to + ".s32.b32 %z, %a, %b, %c;",
                    "b32",
                    List.of("s32", "s32", "b32"),
                    in -> clamp(number("s32", in[1]), to).longValue() & 0xFF
                            | (clamp(number("s32", in[0]), to).longValue() & 0xFF) << 8
                            | in[2] << 16);
        }
        return forms;
    }

    private static void floats(Forms forms, String modifiers, String to, String from, List<long[]> values) {
        String mode = modifiers.contains("rna")
                ? "rna"
                : modifiers.length() > 2 && MODES.contains(modifiers.substring(1, 3))
                        ? modifiers.substring(1, 3)
                        : "rn";
        String code = "cvt%s.%s.%s %%z, %%a;".formatted(modifiers, to, from);
        Forms.Check check = (in, z) -> same(to, converted(modifiers, mode, to, from, in[0]), z);
        if (values.isEmpty()) {
            forms.addChecked(code, to.equals("tf32") ? "b32" : to, List.of(from), check);
        } else {
            forms.addOn(code, to, List.of(from), values, in -> converted(modifiers, mode, to, from, in[0]));
        }
    }

    private static boolean same(String to, long expected, long z) {
        long mask = to.equals("tf32") ? 0xFFFF_FFFFL : Values.mask(to);
        return (expected & mask) == (z & mask)
                || to.equals("f64")
                        && Rounder.F64.exact(expected).isNan()
                        && Rounder.F64.exact(z).isNan();
    }

    private static long converted(String modifiers, String mode, String to, String from, long raw) {
        Rounder source = Rounder.of(from);
        Rounder format = Rounder.of(to);
        boolean flushes = modifiers.contains("ftz");
        Exact a = flushes && from.equals("f32") ? source.flushed(raw) : source.exact(raw);
        long bits = format.round(a, mode, modifiers.contains("satfinite"));
        if (flushes && to.equals("f32") && !a.isNan()) {
            bits = format.round(format.flushed(bits), "rn");
        }
        if (modifiers.endsWith(".sat")) {
            bits = a.isNan() || a.isNegative() ? 0 : Math.min(bits, format.round(Exact.of(BigInteger.ONE), "rn"));
        }
        if (modifiers.contains("relu") && a.isNegative() && !a.isNan()) {
            bits = 0;
        }
        return to.equals("tf32") ? (a.isNan() ? 0x7FFF_FFFFL : bits << 13) : bits;
    }

    private static List<long[]> all16() {
        List<long[]> values = new ArrayList<>();
        for (long i = 0; i < 1 << 16; i++) {
            values.add(new long[] {i});
        }
        return values;
    }

    static Forms floats() {
        Forms forms = new Forms();
        List<long[]> none = List.of();
        for (String mode : MODES) {
            floats(forms, "." + mode, "f32", "f64", none);
            floats(forms, "." + mode + ".ftz", "f32", "f64", none);
            floats(forms, "." + mode, "f16", "f64", none);
            floats(forms, "." + mode, "f16", "f32", none);
            floats(forms, "." + mode + ".ftz", "f16", "f32", none);
            floats(forms, "." + mode + ".sat", "f32", "f64", none);
        }
        for (String mode : List.of("rn", "rz")) {
            floats(forms, "." + mode, "bf16", "f32", none);
            floats(forms, "." + mode + ".relu", "bf16", "f32", none);
            floats(forms, "." + mode + ".relu", "f16", "f32", none);
        }
        floats(forms, ".rna", "tf32", "f32", none);
        floats(forms, ".rn", "tf32", "f32", none);
        floats(forms, ".rz", "tf32", "f32", none);
        floats(forms, "", "f64", "f32", none);
        floats(forms, ".ftz", "f64", "f32", none);
        floats(forms, ".sat", "f32", "f32", none);
        floats(forms, "", "f32", "f16", all16());
        floats(forms, "", "f32", "bf16", all16());
        floats(forms, ".rn", "bf16", "f16", all16());
        floats(forms, ".rn", "f16", "bf16", all16());
        for (String to : List.of("f16x2", "bf16x2")) {
            for (String how : List.of(".rn", ".rz", ".rn.relu", ".rz.relu")) {
                String mode = how.substring(1, 3);
                String one = to.substring(0, to.length() - 2);
                forms.add(
                        "cvt%s.%s.f32 %%z, %%a, %%b;".formatted(how, to),
                        to,
                        List.of("f32", "f32"),
                        in -> converted(how, mode, one, "f32", in[1]) | converted(how, mode, one, "f32", in[0]) << 16);
            }
        }
        for (String to : List.of("e4m3x2", "e5m2x2")) {
            for (String relu : List.of("", ".relu")) {
                String how = ".rn.satfinite" + relu;
                forms.add(
                        "cvt%s.%s.f32 %%z, %%a, %%b;".formatted(how, to),
                        to,
                        List.of("f32", "f32"),
                        in -> converted(how, "rn", to, "f32", in[1]) | converted(how, "rn", to, "f32", in[0]) << 8);
                List<long[]> values = new ArrayList<>();
                for (long i = 0; i < 1 << 16; i++) {
                    values.add(new long[] {i | (i * 40503 & 0xFFFF) << 16});
                }
                forms.addOn(
                        "cvt%s.%s.f16x2 %%z, %%a;".formatted(how, to),
                        to,
                        List.of("f16x2"),
                        values,
                        in -> converted(how, "rn", to, "f16", in[0] & 0xFFFF)
                                | converted(how, "rn", to, "f16", in[0] >>> 16) << 8);
                forms.addOn(
                        "cvt.rn%s.f16x2.%s %%z, %%a;".formatted(relu, to),
                        "f16x2",
                        List.of(to),
                        all16(),
                        in -> converted(relu, "rn", "f16", to, in[0] & 0xFF)
                                | converted(relu, "rn", "f16", to, in[0] >>> 8) << 16);
            }
        }
        return forms;
    }

    @Test
    void wholeNumbersAreConverted() {
        integers().check();
    }

    @Test
    void floatingPointNumbersAreConverted() {
        floats().check();
    }
}
