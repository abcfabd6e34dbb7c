package dev.wok.device.emulated;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.TreeSet;

/// Operands at which instructions go wrong.
final class Values {
    private Values() {}

    static int bits(String type) {
        return switch (type) {
            case "pred" -> 32;
            case "e4m3x2", "e5m2x2" -> 16;
            case "f16x2", "bf16x2", "u16x2", "s16x2", "tf32", "size", "shift" -> 32;
            case "bf16" -> 16;
            default -> Integer.parseInt(type.substring(1));
        };
    }

    static long mask(String type) {
        int bits = bits(type);
        return type.equals("pred") ? 1 : bits == 64 ? -1 : (1L << bits) - 1;
    }

    /// @return bits of numbers of a type, zero-extended
    static long[] of(String type) {
        TreeSet<Long> values = new TreeSet<>();
        switch (type) {
            case "pred" -> values.addAll(List.of(0L, 1L));
            case "size" -> values.addAll(List.of(0L, 1L, 2L, 7L, 8L, 31L, 32L, 33L, 63L, 64L, 65L, 255L, 256L, 257L));
            case "f16" -> floats(values, Rounder.F16);
            case "bf16" -> floats(values, Rounder.BF16);
            case "f32", "tf32" -> floats(values, Rounder.F32);
            case "f64" -> floats(values, Rounder.F64);
            case "f16x2" -> pairs(values, Rounder.F16, 16);
            case "bf16x2" -> pairs(values, Rounder.BF16, 16);
            default -> integers(values, type);
        }
        return values.stream().mapToLong(v -> v & mask(type)).distinct().toArray();
    }

    private static void integers(TreeSet<Long> values, String type) {
        int bits = bits(type);
        for (int i = 0; i < bits; i += i < 4 || i > bits - 4 || i % 8 > 6 ? 1 : 3) {
            values.addAll(List.of(1L << i, (1L << i) - 1, -(1L << i), ~(1L << i)));
        }
        values.addAll(List.of(0L, 3L, 5L, 10L, 100L, 0x55555555_55555555L, 0x12345678_9abcdef0L, 0x80808080_80808080L));
    }

    private static void floats(TreeSet<Long> values, Rounder format) {
        int fraction = format.precision() - 1;
        long one = -format.least();
        long infinity = format.infinity();
        List<Long> positive = new ArrayList<>();
        long unit = 1L << fraction;
        for (long exponent : new long[] {
            0,
            1,
            2,
            one - fraction - 2,
            one - fraction,
            one - 1,
            one,
            one + 1,
            one + 2,
            one + 7,
            one + 8,
            one + 15,
            one + 16,
            one + 23,
            one + 30,
            one + 31,
            one + 32,
            one + 62,
            one + 63,
            one + 64,
            one + fraction,
            one + fraction + 1,
            2 * one,
            2 * one - 1
        }) {
            long base = Math.max(0, exponent) << fraction;
            for (long add : new long[] {0, 1, unit / 2 - 1, unit / 2, unit / 2 + 1, unit - 1}) {
                positive.add(base + add);
            }
        }
        for (long value : positive) {
            if (value >= 0 && value < infinity) {
                values.add(value);
                values.add(value | format.sign());
            }
        }
        values.addAll(List.of(infinity, infinity | format.sign(), format.nan(), infinity | unit / 2 | 1));
    }

    private static void pairs(TreeSet<Long> values, Rounder format, int bits) {
        TreeSet<Long> single = new TreeSet<>();
        floats(single, format);
        List<Long> all = new ArrayList<>(single);
        for (int i = 0; i < all.size(); i++) {
            values.add(all.get(i) & 0xFFFF | (all.get((i * 37 + 11) % all.size()) & 0xFFFF) << bits);
        }
    }

    static long random(String type, SplittableRandom random) {
        return switch (type) {
            case "pred" -> random.nextInt(2);
            case "size" -> random.nextInt(70);
            case "f32", "tf32" ->
                random.nextInt(3) == 0
                        ? random.nextLong() & 0xFFFF_FFFFL
                        : Float.floatToRawIntBits((float) (random.nextDouble() * 8 - 4)) & 0xFFFF_FFFFL;
            case "f64" ->
                random.nextInt(3) == 0 ? random.nextLong() : Double.doubleToRawLongBits(random.nextDouble() * 8 - 4);
            default -> random.nextLong() & mask(type);
        };
    }
}
