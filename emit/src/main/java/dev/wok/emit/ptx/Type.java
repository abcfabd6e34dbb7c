package dev.wok.emit.ptx;

import java.util.Locale;

/// The type of a register, a variable or an instruction, by its PTX name in capitals.
///
/// A register of bits (`B32`) goes wherever a value of that size goes. The formats that PTX cannot
/// declare are declared as bits, and still mean what they say: a `BF16X2` register is no operand of
/// `add.f16x2`.
///
/// Source: PTX ISA 9.0, sections 5.2 and 9.4.
public enum Type {
    PRED(Kind.PREDICATE, 1),
    B8(Kind.BITS, 8),
    B16(Kind.BITS, 16),
    B32(Kind.BITS, 32),
    B64(Kind.BITS, 64),
    B128(Kind.BITS, 128),
    U8(Kind.INTEGER, 8),
    U16(Kind.INTEGER, 16),
    U32(Kind.INTEGER, 32),
    U64(Kind.INTEGER, 64),
    S8(Kind.INTEGER, 8),
    S16(Kind.INTEGER, 16),
    S32(Kind.INTEGER, 32),
    S64(Kind.INTEGER, 64),
    U16X2(Kind.PAIR, 32),
    S16X2(Kind.PAIR, 32),
    F16(Kind.FLOAT, 16),
    F16X2(Kind.FLOAT, 32),
    BF16(Kind.FLOAT, 16),
    BF16X2(Kind.FLOAT, 32),
    TF32(Kind.FLOAT, 32),
    F32(Kind.FLOAT, 32),
    F32X2(Kind.FLOAT, 64),
    F64(Kind.FLOAT, 64),
    /// Two numbers of 8 bits: 4 of exponent, 3 of fraction.
    E4M3X2(Kind.FLOAT, 16),
    /// Two numbers of 8 bits: 5 of exponent, 2 of fraction.
    E5M2X2(Kind.FLOAT, 16);

    enum Kind {
        PREDICATE,
        BITS,
        INTEGER,
        /// Two integers, which no instruction for one takes.
        PAIR,
        FLOAT
    }

    final Kind kind;
    final int bits;

    Type(Kind kind, int bits) {
        this.kind = kind;
        this.bits = bits;
    }

    /// @return as instructions spell it, such as `bf16x2`
    String word() {
        return name().toLowerCase(Locale.ROOT);
    }

    static Type of(String word) {
        return valueOf(word.toUpperCase(Locale.ROOT));
    }

    /// @return the bits of this size
    Type asBits() {
        return switch (bits) {
            case 8 -> B8;
            case 16 -> B16;
            case 32 -> B32;
            case 64 -> B64;
            case 128 -> B128;
            default -> PRED;
        };
    }

    /// @return the type that `.reg` declares and that loads and stores name
    Type declared() {
        return switch (this) {
            case BF16, BF16X2, TF32, F32X2, E4M3X2, E5M2X2, U16X2, S16X2, F16, F16X2 -> asBits();
            default -> this;
        };
    }

    /// @param register the type of a register
    /// @param wider whether an integer of more bits will do
    /// @return whether an instruction takes it for an operand of this type
    boolean takes(Type register, boolean wider) {
        if (register == this) {
            return true;
        }
        if (kind == Kind.PREDICATE || register.kind == Kind.PREDICATE) {
            return false;
        }
        if (register.bits != bits) {
            return wider && register.bits > bits && register.bits < 128 && widens(register);
        }
        return switch (kind) {
            case BITS -> true;
            case INTEGER -> register.kind == Kind.INTEGER || register.kind == Kind.BITS;
            case PAIR, FLOAT, PREDICATE -> register.kind == Kind.BITS;
        };
    }

    private boolean widens(Type register) {
        return isWhole(kind) && isWhole(register.kind);
    }

    private static boolean isWhole(Kind kind) {
        return kind == Kind.BITS || kind == Kind.INTEGER;
    }

    @Override
    public String toString() {
        return "." + word();
    }
}
