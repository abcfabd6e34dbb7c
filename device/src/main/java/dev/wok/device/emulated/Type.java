package dev.wok.device.emulated;

import dev.wok.tensor.DType;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// A type that instructions and registers name, such as `.u32`.
enum Type {
    PRED(1, Kind.PRED),
    B8(8, Kind.BITS),
    B16(16, Kind.BITS),
    B32(32, Kind.BITS),
    B64(64, Kind.BITS),
    B128(128, Kind.BITS),
    U8(8, Kind.UNSIGNED),
    U16(16, Kind.UNSIGNED),
    U32(32, Kind.UNSIGNED),
    U64(64, Kind.UNSIGNED),
    S8(8, Kind.SIGNED),
    S16(16, Kind.SIGNED),
    S32(32, Kind.SIGNED),
    S64(64, Kind.SIGNED),
    F16(16, Kind.FLOAT),
    F32(32, Kind.FLOAT),
    F64(64, Kind.FLOAT),
    BF16(16, Kind.FLOAT),
    TF32(32, Kind.FLOAT),
    E4M3(8, Kind.FLOAT),
    E5M2(8, Kind.FLOAT),
    F16X2(32, Kind.PACKED),
    BF16X2(32, Kind.PACKED),
    U16X2(32, Kind.PACKED),
    S16X2(32, Kind.PACKED),
    E4M3X2(16, Kind.PACKED),
    E5M2X2(16, Kind.PACKED);

    enum Kind {
        PRED,
        BITS,
        UNSIGNED,
        SIGNED,
        FLOAT,
        PACKED
    }

    final int bits;
    final Kind kind;

    Type(int bits, Kind kind) {
        this.bits = bits;
        this.kind = kind;
    }

    /// @param word without its dot
    static @Nullable Type of(String word) {
        for (Type type : values()) {
            if (type.text().equals(word)) {
                return type;
            }
        }
        return null;
    }

    static Type of(DType elements) {
        return switch (elements) {
            case F64 -> F64;
            case F32 -> F32;
            case BF16 -> BF16;
            case F16 -> F16;
            case I64 -> S64;
            case I32 -> S32;
            case F8_E4M3, I8, U8 -> U8;
        };
    }

    String text() {
        return name().toLowerCase(Locale.ROOT);
    }

    int bytes() {
        return Math.max(1, bits / 8);
    }

    boolean isSigned() {
        return kind == Kind.SIGNED;
    }

    boolean isInteger() {
        return kind == Kind.UNSIGNED || kind == Kind.SIGNED;
    }

    /// Registers hold a value's bits in the lower end of a long; this gives the value as an integer of this type.
    long extend(long raw) {
        int unused = 64 - Math.min(bits, 64);
        return isSigned() ? raw << unused >> unused : raw << unused >>> unused;
    }

    /// @return whether registers are declared with it
    boolean isOfRegisters() {
        return switch (kind) {
            case PRED, BITS, UNSIGNED, SIGNED -> true;
            case FLOAT -> this == F16 || this == F32 || this == F64;
            case PACKED -> this == F16X2;
        };
    }

    /// @return whether a register of this declared type can hold values of an instruction's type
    boolean holds(Type type) {
        if (this == PRED || type == PRED) {
            return this == type;
        }
        if (bits != type.bits) {
            return false;
        }
        return switch (type.kind) {
            case PRED -> false;
            case BITS -> true;
            case UNSIGNED, SIGNED -> kind == Kind.BITS || isInteger() || this == F16X2;
            case FLOAT -> kind == Kind.BITS || this == type;
            case PACKED -> kind == Kind.BITS || this == F16X2 && type != BF16X2;
        };
    }
}
