package dev.wok.cli;

import dev.wok.device.EmulatedGpu.Kernel.Parameter;
import dev.wok.notice.BadInput;
import java.math.BigInteger;

/// Numbers among the arguments of a kernel.
final class PtxNumbers {
    private PtxNumbers() {}

    /// @return a [BigInteger], or a [Double] where that is asked for
    /// @throws BadInput where the text is no such number
    static Number parse(String text, boolean isFloating, String where) {
        try {
            return isFloating ? floating(text) : whole(text);
        } catch (NumberFormatException e) {
            throw new BadInput("%s: '%s' is no %s.".formatted(where, text, isFloating ? "number" : "whole number"), e);
        }
    }

    private static BigInteger whole(String text) {
        boolean isNegative = text.startsWith("-");
        String digits = isNegative ? text.substring(1) : text;
        boolean isHex = digits.startsWith("0x") || digits.startsWith("0X");
        if (!digits.matches("\\d{1,20}|0[xX][\\da-fA-F]{1,16}")) {
            throw new NumberFormatException(text);
        }
        BigInteger value = isHex ? new BigInteger(digits.substring(2), 16) : new BigInteger(digits);
        return isNegative ? value.negate() : value;
    }

    private static Double floating(String text) {
        return switch (text) {
            case "nan" -> Double.NaN;
            case "inf" -> Double.POSITIVE_INFINITY;
            case "-inf" -> Double.NEGATIVE_INFINITY;
            default -> {
                if (!text.matches("[-+]?[0-9.]+([eE][-+]?[0-9]+)?")) {
                    throw new NumberFormatException(text);
                }
                yield Double.parseDouble(text);
            }
        };
    }

    /// @return the value in the form that a launch takes for this parameter
    /// @throws BadInput where the text is no value of the parameter's type
    static Number parse(String text, Parameter parameter, String where) {
        boolean isFloating = parameter.type().startsWith("f")
                || parameter.type().startsWith("b") && parameter.bytes() > 1 && text.matches("-?\\d+[.eE].*|nan|-?inf");
        Number value = parse(text, isFloating, where);
        int bits = 8 * parameter.bytes();
        if (value instanceof BigInteger whole) {
            BigInteger end = BigInteger.ONE.shiftLeft(bits);
            // nvcc declares an int as .u32 too.
            BigInteger least = end.shiftRight(1).negate();
            BigInteger most = parameter.type().startsWith("s") ? end.shiftRight(1) : end;
            if (whole.compareTo(least) < 0 || whole.compareTo(most) >= 0) {
                throw new BadInput("%s: %s does not fit .%s, expected %s to %s."
                        .formatted(where, text, parameter.type(), least, most.subtract(BigInteger.ONE)));
            }
        }
        return switch (parameter.bytes()) {
            case Long.BYTES -> isFloating ? value : (Number) value.longValue();
            case Integer.BYTES -> isFloating ? (Number) value.floatValue() : (Number) value.intValue();
            case Byte.BYTES -> value.byteValue();
            default -> isFloating ? (Number) Float.floatToFloat16(value.floatValue()) : (Number) value.shortValue();
        };
    }
}
