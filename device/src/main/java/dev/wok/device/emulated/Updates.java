package dev.wok.device.emulated;

/// What an atomic operation makes of the number that is there and the one that comes.
interface Updates {
    /// @param old the bits that are there, zero-extended
    /// @param b those that come
    /// @param c what is put where `old` is `b`, of `cas`
    /// @return the bits that stay, others above them do not count
    long apply(long old, long b, long c);

    /// @param operator such as `add`
    /// @param type of the numbers; pairs are updated one by one
    static Updates of(Call call, String operator, Type type) {
        return switch (operator) {
            case "exch" -> (_, b, _) -> b;
            case "cas" -> (old, b, c) -> same(type, old, b) ? c : old;
            case "and", "or", "xor" -> (old, b, _) -> Bits.apply(operator, old, b);
            case "inc" -> (old, b, _) -> Long.compareUnsigned(old, b & 0xFFFF_FFFFL) >= 0 ? 0 : old + 1;
            case "dec" -> (old, b, _) -> old == 0 || Long.compareUnsigned(old, b & 0xFFFF_FFFFL) > 0 ? b : old - 1;
            case "add", "min", "max" -> sum(call, operator, type);
            default ->
                throw call.error("an operation is named: .add, .min, .max, .inc, .dec, .and, .or, .xor, .exch, .cas");
        };
    }

    private static boolean same(Type type, long a, long b) {
        int unused = 64 - type.bits;
        return a << unused == b << unused;
    }

    private static Updates sum(Call call, String operator, Type type) {
        return switch (type) {
            case U32, S32, U64, S64, U16, S16 ->
                (old, b, _) -> {
                    long x = type.extend(old);
                    long y = type.extend(b);
                    boolean less = type.isSigned() ? x < y : Long.compareUnsigned(x, y) < 0;
                    return operator.equals("add") ? x + y : less == operator.equals("max") ? y : x;
                };
            case F64 ->
                (old, b, _) -> Double.doubleToRawLongBits(Double.longBitsToDouble(old) + Double.longBitsToDouble(b));
            case F32, F16, BF16 -> (old, b, _) -> floats(operator, Format.of(type), old, b);
            case F16X2, BF16X2 ->
                (old, b, _) -> floats(operator, Format.of(type), old, b)
                        | floats(operator, Format.of(type), old >>> 16, b >>> 16) << 16;
            default -> throw call.error(".%s does not come in .%s".formatted(operator, type.text()));
        };
    }

    private static long floats(String operator, Format format, long a, long b) {
        double x = format.value(a);
        double y = format.value(b);
        return switch (operator) {
            case "add" -> Exact.add(x, y, (value, rest) -> format.bits(value, rest, Rounding.RN, false));
            default -> {
                double chosen = Double.isNaN(x)
                        ? y
                        : Double.isNaN(y) ? x : operator.equals("max") ? Math.max(x, y) : Math.min(x, y);
                yield format.bits(chosen);
            }
        };
    }
}
