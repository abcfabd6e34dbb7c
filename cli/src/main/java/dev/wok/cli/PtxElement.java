package dev.wok.cli;

import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.math.BigInteger;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;

/// What the elements of a kernel's buffer are, by the name that people write.
enum PtxElement {
    F64(DType.F64),
    F32(DType.F32),
    BF16(DType.BF16),
    F16(DType.F16),
    E4M3(DType.F8_E4M3),
    I64(DType.I64),
    S64(DType.I64),
    U64(DType.I64),
    I32(DType.I32),
    S32(DType.I32),
    U32(DType.I32),
    I8(DType.I8),
    S8(DType.I8),
    U8(DType.U8);

    private final DType dtype;

    PtxElement(DType dtype) {
        this.dtype = dtype;
    }

    /// @throws BadInput where there is none of this name
    static PtxElement of(String name, String where) {
        return Arrays.stream(values())
                .filter(element -> element.text().equals(name))
                .findFirst()
                .orElseThrow(() -> new BadInput("%s: there is no type %s; there are %s."
                        .formatted(
                                where,
                                name,
                                Arrays.stream(values()).map(PtxElement::text).collect(Collectors.joining(", ")))));
    }

    String text() {
        return name().toLowerCase(Locale.ROOT);
    }

    DType dtype() {
        return dtype;
    }

    private boolean isUnsigned() {
        return switch (this) {
            case U64, U32, U8 -> true;
            case F64, F32, BF16, F16, E4M3, I64, S64, I32, S32, I8, S8 -> false;
        };
    }

    /// @throws BadInput where the text is no value of this type
    Number parse(String text, String where) {
        Number value = PtxNumbers.parse(text, dtype.isFloating(), where);
        if (value instanceof BigInteger whole) {
            int bits = 8 * dtype.bytes();
            BigInteger end = BigInteger.ONE.shiftLeft(isUnsigned() ? bits : bits - 1);
            BigInteger least = isUnsigned() ? BigInteger.ZERO : end.negate();
            if (whole.compareTo(least) < 0 || whole.compareTo(end) >= 0) {
                throw new BadInput("%s: %s does not fit %s, expected %s to %s."
                        .formatted(where, text, text(), least, end.subtract(BigInteger.ONE)));
            }
        }
        return value;
    }

    /// @param index of an element of a contiguous tensor
    void set(Tensor tensor, long index, Number value) {
        if (dtype.isFloating()) {
            tensor.set(index, value.doubleValue());
        } else {
            switch (dtype.bytes()) {
                case Long.BYTES ->
                    tensor.memory().set(ValueLayout.JAVA_LONG_UNALIGNED, index * Long.BYTES, value.longValue());
                case Integer.BYTES -> tensor.setInt(index, value.intValue());
                default -> tensor.memory().set(ValueLayout.JAVA_BYTE, index, value.byteValue());
            }
        }
    }

    /// @return an element of a contiguous tensor, exactly
    Number get(Tensor tensor, long index) {
        return switch (this) {
            case F64 -> tensor.get(index);
            case F32, BF16, F16, E4M3 -> (float) tensor.get(index);
            case I64, S64 -> word(tensor, index);
            case U64 -> new BigInteger(Long.toUnsignedString(word(tensor, index)));
            case U32 -> Integer.toUnsignedLong(tensor.getInt(index));
            case I32, S32 -> tensor.getInt(index);
            case I8, S8, U8 -> (int) tensor.get(index);
        };
    }

    private static long word(Tensor tensor, long index) {
        return tensor.memory().get(ValueLayout.JAVA_LONG_UNALIGNED, index * Long.BYTES);
    }
}
