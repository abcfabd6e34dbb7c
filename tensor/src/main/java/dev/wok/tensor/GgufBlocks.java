package dev.wok.tensor;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// How ggml packs elements into blocks. `d` and `dmin` are binary16; a byte of `qs` holds two elements.
///
/// ```
/// Q8_0 | d 2 | qs 32                                element i: d * qs[i]
/// Q4_0 | d 2 | qs 16                                elements i and i + 16: d * (half of qs[i] - 8)
/// Q4_K | d 2 | dmin 2 | scales 12 | qs 128          32 bytes at a time: 32 low halves, 32 high halves
/// Q5_K | d 2 | dmin 2 | scales 12 | qh 32 | qs 128  as Q4_K; bit g of qh[i] is bit 4 of group g's element i
/// Q6_K | ql 128 | qh 64 | scales 16 | d 2           twice 128 elements, 32 in each of: low halves of
///                                                   ql[0..31], of ql[32..63], high halves of both;
///                                                   bits 4 and 5 in pairs of bits of qh, lowest first
/// ```
///
/// The 12 bytes of Q4_K and Q5_K hold a scale and a minimum of 6 bits for each of 8 groups:
///
/// ```
/// bytes 0..3    scales 0..3 below, above them bits 4 and 5 of scales 4..7
/// bytes 4..7    minima 0..3 below, above them bits 4 and 5 of minima 4..7
/// bytes 8..11   low half of scales 4..7 below, low half of minima 4..7 above
/// ```
final class GgufBlocks {
    private static final ValueLayout.OfShort SHORT =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int D_BYTES = 2;
    private static final int K_GROUP = 32;
    private static final int K_GROUPS = 8;
    private static final int K_SCALES_AT = 4;
    private static final int K_QUANTS_AT = 16;
    private static final int Q5_HIGH_BYTES = 32;
    private static final int Q6_HIGH_AT = 128;
    private static final int Q6_SCALES_AT = 192;
    private static final int Q6_D_AT = 208;

    private GgufBlocks() {}

    /// Unpacks one block.
    ///
    /// @param at where it begins
    /// @param to takes its elements from `element` on
    static void unpack(GgufType type, MemorySegment data, long at, GgufParts to, int element) {
        switch (type) {
            case Q8_0 -> q8(data, at, to, element);
            case Q4_0 -> q4(data, at, to, element);
            case Q4_K -> q4k(data, at, to, element);
            case Q5_K -> q5k(data, at, to, element);
            case Q6_K -> q6k(data, at, to, element);
            case F32, F16, BF16 -> throw new IllegalArgumentException(type + " has no blocks");
        }
    }

    private static float half(MemorySegment data, long at) {
        return Float.float16ToFloat(data.get(SHORT, at));
    }

    private static int unsigned(MemorySegment data, long at) {
        return data.get(ValueLayout.JAVA_BYTE, at) & 0xFF;
    }

    private static void q8(MemorySegment data, long at, GgufParts to, int element) {
        int elements = GgufType.Q8_0.blockElements();
        to.scales()[element / to.group()] = half(data, at);
        Copies.bytes(data, at + D_BYTES, to.integers(), element, elements);
    }

    private static void q4(MemorySegment data, long at, GgufParts to, int element) {
        int halves = GgufType.Q4_0.blockElements() / 2;
        to.scales()[element / to.group()] = half(data, at);
        for (int i = 0; i < halves; i++) {
            int two = unsigned(data, at + D_BYTES + i);
            to.integers()[element + i] = (byte) ((two & 0xF) - 8);
            to.integers()[element + halves + i] = (byte) ((two >> 4) - 8);
        }
    }

    private static void q4k(MemorySegment data, long at, GgufParts to, int element) {
        scales(data, at, to, element);
        halves(data, at + K_QUANTS_AT, to, element);
    }

    private static void q5k(MemorySegment data, long at, GgufParts to, int element) {
        scales(data, at, to, element);
        halves(data, at + K_QUANTS_AT + Q5_HIGH_BYTES, to, element);
        for (int i = 0; i < K_GROUPS * K_GROUP; i++) {
            int bit = unsigned(data, at + K_QUANTS_AT + i % K_GROUP) >> i / K_GROUP & 1;
            to.integers()[element + i] |= (byte) (bit << 4);
        }
    }

    private static void scales(MemorySegment data, long at, GgufParts to, int element) {
        float d = half(data, at);
        float dmin = half(data, at + D_BYTES);
        int first = element / K_GROUP;
        int half = K_GROUPS / 2;
        for (int g = 0; g < half; g++) {
            int a = unsigned(data, at + K_SCALES_AT + g);
            int b = unsigned(data, at + K_SCALES_AT + half + g);
            int c = unsigned(data, at + K_SCALES_AT + 2 * half + g);
            to.scales()[first + g] = d * (a & 0x3F);
            to.minima()[first + g] = dmin * (b & 0x3F);
            to.scales()[first + half + g] = d * (a >> 6 << 4 | c & 0xF);
            to.minima()[first + half + g] = dmin * (b >> 6 << 4 | c >> 4);
        }
    }

    private static void halves(MemorySegment data, long at, GgufParts to, int element) {
        for (int i = 0; i < K_GROUPS * K_GROUP; i++) {
            int two = unsigned(data, at + i / (2 * K_GROUP) * K_GROUP + i % K_GROUP);
            to.integers()[element + i] = (byte) (i / K_GROUP % 2 == 0 ? two & 0xF : two >> 4);
        }
    }

    private static void q6k(MemorySegment data, long at, GgufParts to, int element) {
        int elements = GgufType.Q6_K.blockElements();
        float d = half(data, at + Q6_D_AT);
        for (int i = 0; i < elements / to.group(); i++) {
            to.scales()[element / to.group() + i] = d * data.get(ValueLayout.JAVA_BYTE, at + Q6_SCALES_AT + i);
        }
        for (int i = 0; i < elements; i++) {
            int part = i / 128;
            int quarter = i % 128 / 32;
            int two = unsigned(data, at + part * 64 + quarter % 2 * 32 + i % 32);
            int low = quarter < 2 ? two & 0xF : two >> 4;
            int high = unsigned(data, at + Q6_HIGH_AT + part * 32 + i % 32) >> 2 * quarter & 3;
            to.integers()[element + i] = (byte) ((high << 4 | low) - 32);
        }
    }
}
