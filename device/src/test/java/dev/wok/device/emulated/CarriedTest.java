package dev.wok.device.emulated;

import java.math.BigInteger;
import java.util.List;
import org.junit.jupiter.api.Test;

/// Products with a carry, fields, searches and pairs of halves, against plain Java.
class CarriedTest {
    /// The lower half of a product of two 64-bit numbers and a third, from 32-bit parts; and its upper half.
    @Test
    void productsCarry() {
        Forms forms = new Forms();
        String parts = """
                { .reg .u32 %al, %ah, %bl, %bh, %z0, %z1;
                mov.b64 {%al, %ah}, %a; mov.b64 {%bl, %bh}, %b;
                mul.lo.u32 %z0, %al, %bl;
                mul.hi.u32 %z1, %al, %bl;
                mad.lo.u32 %z1, %ah, %bl, %z1;
                mad.lo.u32 %z1, %al, %bh, %z1;
                mov.b64 %z, {%z0, %z1}; }""";
        forms.add(parts, "u64", List.of("u64", "u64"), in -> in[0] * in[1]);
        String upper = """
                { .reg .u64 %lo, %hi;
                mad.lo.cc.u64 %lo, %a, %b, %c;
                madc.hi.u64 %z, %a, %b, 0; }""";
        forms.add(
                upper,
                "u64",
                List.of("u64", "u64", "u64"),
                in -> unsigned(in[0])
                        .multiply(unsigned(in[1]))
                        .add(unsigned(in[2]))
                        .shiftRight(64)
                        .longValue());
        String chain = """
                { .reg .u32 %al, %ah, %cl, %ch, %z0, %z1;
                mov.b64 {%al, %ah}, %a; mov.b64 {%cl, %ch}, %c;
                mad.lo.cc.u32 %z0, %al, 3, %cl;
                madc.lo.cc.u32 %z1, %ah, 3, %ch;
                mov.b64 %z, {%z0, %z1}; }""";
        forms.add(
                chain,
                "u64",
                List.of("u64", "u64", "u64"),
                in -> ((in[0] & 0xFFFF_FFFFL) * 3 & 0xFFFF_FFFFL) + ((in[0] >>> 32) * 3 << 32) + in[2]);
        forms.check();
    }

    private static BigInteger unsigned(long value) {
        return new BigInteger(Long.toUnsignedString(value));
    }

    @Test
    void fieldsAndPlaces() {
        Forms forms = new Forms();
        for (int length : new int[] {0, 1, 7, 31, 32, 40}) {
            forms.add(
                    "szext.clamp.u32 %z, %a, " + length + ";",
                    "u32",
                    List.of("u32"),
                    in -> extended(in[0], length, false));
            forms.add(
                    "szext.clamp.s32 %z, %a, " + length + ";",
                    "s32",
                    List.of("s32"),
                    in -> extended(in[0], length, true));
        }
        forms.add("szext.wrap.s32 %z, %a, 33;", "s32", List.of("s32"), in -> extended(in[0], 1, true));
        forms.add("fns.b32 %z, %a, 0, 3;", "b32", List.of("b32"), in -> place(in[0], 0, 3, 1));
        forms.add("fns.b32 %z, %a, 31, -2;", "b32", List.of("b32"), in -> place(in[0], 31, 2, -1));
        forms.add(
                "{ .reg .pred %t1; setp.eq.u32 %t1, %c, 0; lop3.or.b32 %z|%q, %a, %b, %c, 0x80, %t1; selp.u32 %z, 1, 0, %q; }",
                "u32", List.of("u32", "u32", "u32"), in -> (in[0] & in[1] & in[2]) != 0 || in[2] == 0 ? 1 : 0);
        forms.check();
    }

    private static long extended(long value, int length, boolean isSigned) {
        if (length == 0) {
            return 0;
        }
        int unused = 64 - Math.min(length, 32);
        return isSigned ? value << unused >> unused : value << unused >>> unused;
    }

    private static long place(long mask, int from, int wanted, int step) {
        int found = 0;
        for (int at = from; at >= 0 && at < 32; at += step) {
            found += (int) (mask >>> at & 1);
            if (found == wanted) {
                return at;
            }
        }
        return -1;
    }

    @Test
    void halvesCompare() {
        Forms forms = new Forms();
        forms.add(
                "set.lt.f16.f16 %z, %a, %b;",
                "b16", List.of("b16", "b16"), in -> half(in[0]) < half(in[1]) ? 0x3C00 : 0);
        forms.add(
                "set.geu.f16x2.f16x2 %z, %a, %b;",
                "b32",
                List.of("b32", "b32"),
                in -> (!(half(in[0]) < half(in[1])) ? 0x3C00 : 0)
                        | (!(half(in[0] >>> 16) < half(in[1] >>> 16)) ? 0x3C00_0000L : 0));
        forms.add(
                "set.eq.u32.bf16x2 %z, %a, %b;",
                "b32",
                List.of("b32", "b32"),
                in -> (brain(in[0]) == brain(in[1]) ? 0xFFFF : 0)
                        | (brain(in[0] >>> 16) == brain(in[1] >>> 16) ? 0xFFFF_0000L : 0));
        forms.check();
    }

    private static float half(long raw) {
        return Float.float16ToFloat((short) raw);
    }

    private static float brain(long raw) {
        return Float.intBitsToFloat((int) raw << 16);
    }
}
