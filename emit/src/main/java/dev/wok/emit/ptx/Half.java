package dev.wok.emit.ptx;

/// Constants of 16 bits, which PTX writes as bits only.
final class Half {
    private Half() {}

    static boolean has(Type type) {
        return type == Type.F16 || type == Type.F16X2 || type == Type.BF16 || type == Type.BF16X2;
    }

    /// @return the nearest number's bits, twice for a pair
    static int bits(Type type, float value) {
        boolean isBrain = type == Type.BF16 || type == Type.BF16X2;
        int half = isBrain ? brain(value) : Float.floatToFloat16(value) & 0xFFFF;
        return type.bits == 32 ? half << 16 | half : half;
    }

    private static int brain(float value) {
        int bits = Float.floatToRawIntBits(value);
        return Float.isNaN(value) ? 0x7FC0 : bits + 0x7FFF + (bits >>> 16 & 1) >>> 16;
    }
}
