package dev.wok.emit.ptx;

/// A number that stands in the text.
record Imm(Number value) implements Operand {
    boolean isInteger() {
        return value instanceof Integer || value instanceof Long;
    }

    String kind() {
        return switch (value) {
            case Integer _ -> "int";
            case Long _ -> "long";
            case Float _ -> "float";
            default -> "double";
        };
    }

    /// @return whether an instruction takes it for a source of this type
    boolean fits(Type type) {
        return switch (type.kind) {
            case PREDICATE, PAIR -> false;
            case FLOAT -> value instanceof Float && type == Type.F32 || value instanceof Double && type == Type.F64;
            case INTEGER -> isInteger() && type.bits <= 64 && fitsIn(type.bits);
            case BITS ->
                isInteger()
                        ? type.bits <= 64 && fitsIn(type.bits)
                        : type.bits == (value instanceof Float ? Float.SIZE : Double.SIZE);
        };
    }

    private boolean fitsIn(int bits) {
        long v = value.longValue();
        return bits == 64 || v >= -(1L << bits - 1) && v < 1L << bits;
    }

    @Override
    public String toString() {
        return switch (value) {
            case Float f -> "0f%08X".formatted(Float.floatToRawIntBits(f));
            case Double d -> "0d%016X".formatted(Double.doubleToRawLongBits(d));
            default -> value.toString();
        };
    }
}
