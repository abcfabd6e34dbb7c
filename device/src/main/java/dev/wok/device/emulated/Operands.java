package dev.wok.device.emulated;

import dev.wok.device.emulated.Listing.Address;
import dev.wok.device.emulated.Listing.Name;
import dev.wok.device.emulated.Listing.Not;
import dev.wok.device.emulated.Listing.Operand;
import dev.wok.device.emulated.Listing.Pair;
import dev.wok.device.emulated.Listing.Real;
import dev.wok.device.emulated.Listing.Vector;
import java.util.ArrayList;
import java.util.List;

/// Reads what instructions work on.
final class Operands {
    private final Words words;

    Operands(Words words) {
        this.words = words;
    }

    Operand operand() {
        if (words.accept("{")) {
            return new Vector(list("}"));
        }
        if (words.accept("(")) {
            return new Vector(list(")"));
        }
        if (words.accept("[")) {
            return address();
        }
        if (words.accept("!")) {
            return new Not(simple());
        }
        Operand first = simple();
        if (words.accept("|")) {
            return new Pair(first, simple());
        }
        if (first instanceof Name && words.peek().is("+")) {
            // The address of a part of a variable.
            long offset = offset();
            return new Address(first, offset, List.of());
        }
        if (first instanceof Name && words.accept("[")) {
            long offset = integer();
            words.expect("]");
            return new Address(first, offset, List.of());
        }
        return first;
    }

    List<Operand> list(String end) {
        List<Operand> elements = new ArrayList<>();
        words.open(words.peek());
        while (!words.accept(end)) {
            elements.add(operand());
            words.accept(",");
        }
        words.close();
        return elements;
    }

    private Operand address() {
        Operand base = simple();
        long offset = offset();
        List<Operand> coordinates = List.of();
        if (words.accept(",")) {
            words.expect("{");
            coordinates = list("}");
        }
        words.expect("]");
        return new Address(base, offset, coordinates);
    }

    private long offset() {
        long offset = 0;
        while (words.accept("+")) {
            offset += integer();
        }
        if (words.peek().is("-")) {
            throw words.error(words.peek(), "an address is less than another one as in [%rd1+-4]");
        }
        return offset;
    }

    private Operand simple() {
        Token word = words.peek();
        return switch (word.kind()) {
            case WORD -> new Name(words.next().text());
            case NUMBER -> number(false);
            case MARK -> {
                if (words.accept("-")) {
                    yield number(true);
                }
                throw words.error(word, "expected an operand, not '%s'".formatted(word.text()));
            }
            case DOTTED, STRING, END -> throw words.error(word, "expected an operand, not '%s'".formatted(word.text()));
        };
    }

    private Operand number(boolean isNegative) {
        Token word = words.next();
        String text = word.text();
        try {
            if (text.startsWith("0f") || text.startsWith("0F")) {
                requireLength(word, 10);
                float value = Float.intBitsToFloat(Integer.parseUnsignedInt(text.substring(2), 16));
                return new Real(isNegative ? -value : value, true);
            }
            if (text.startsWith("0d") || text.startsWith("0D")) {
                requireLength(word, 18);
                double value = Double.longBitsToDouble(Long.parseUnsignedLong(text.substring(2), 16));
                return new Real(isNegative ? -value : value, false);
            }
            if (isReal(text)) {
                double value = Double.parseDouble(text);
                return new Real(isNegative ? -value : value, false);
            }
            long value = parsed(text);
            return new Listing.Integer(isNegative ? -value : value);
        } catch (NumberFormatException e) {
            throw words.error(word, "'%s' is no number".formatted(text));
        }
    }

    private void requireLength(Token word, int length) {
        if (word.text().length() != length) {
            throw words.error(word, "'%s' has not the %d digits of a number's bits".formatted(word.text(), length - 2));
        }
    }

    private static boolean isReal(String text) {
        boolean isHex = text.startsWith("0x") || text.startsWith("0X");
        return !isHex && (text.contains(".") || text.contains("e") || text.contains("E"));
    }

    private static long parsed(String text) {
        String digits = text.endsWith("U") || text.endsWith("u") ? text.substring(0, text.length() - 1) : text;
        if (digits.startsWith("0x") || digits.startsWith("0X")) {
            return Long.parseUnsignedLong(digits.substring(2), 16);
        }
        if (digits.startsWith("0b") || digits.startsWith("0B")) {
            return Long.parseUnsignedLong(digits.substring(2), 2);
        }
        return digits.length() > 1 && digits.startsWith("0")
                ? Long.parseUnsignedLong(digits, 8)
                : Long.parseUnsignedLong(digits);
    }

    long integer() {
        Token word = words.peek();
        if (simple() instanceof Listing.Integer(long value)) {
            return value;
        }
        throw words.error(word, "expected a whole number");
    }

    /// @return a constant's bits as a register of a type holds them
    static long bits(Operand value, Type type) {
        return switch (value) {
            case Listing.Integer(long integer) ->
                switch (type) {
                    case F32 -> Float.floatToRawIntBits(integer);
                    case F64 -> Double.doubleToRawLongBits(integer);
                    default -> integer;
                };
            case Real(double real, boolean isSingle) ->
                type.bits == 64 && !(isSingle && type.kind == Type.Kind.BITS)
                        ? Double.doubleToRawLongBits(real)
                        : Float.floatToRawIntBits((float) real);
            default -> throw new IllegalArgumentException("no constant: " + value);
        };
    }
}
