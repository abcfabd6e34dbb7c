package dev.wok.emit.ptx;

import java.util.ArrayList;
import java.util.List;

/// Variables as text: declarations, and the values that they begin with.
final class Data {
    private static final int PER_LINE = 8;

    private Data() {}

    static void requireAlignment(String name, int align) {
        if (Integer.bitCount(align) != 1) {
            throw Caller.error("%s: the alignment is %d; expected a power of two, in bytes".formatted(name, align));
        }
    }

    /// @return without the semicolon
    static String declaration(String how, String name, Type type, int count, int align) {
        requireAlignment(name, align);
        Type declared = type.declared();
        if (declared.kind == Type.Kind.PREDICATE || declared.bits > 64) {
            throw Caller.error("%s: no variable is of type %s; expected one of 8 to 64 bits".formatted(name, type));
        }
        if (align < declared.bits / 8) {
            throw Caller.error("%s: the alignment is %d; expected at least the %d bytes of a %s"
                    .formatted(name, align, declared.bits / 8, type));
        }
        if (count < 1) {
            throw Caller.error("%s: has %d elements; expected one or more".formatted(name, count));
        }
        return "%s .align %d %s %s[%d]".formatted(how, align, declared, name, count);
    }

    /// @return the numbers as they stand in the text
    static List<String> of(Type type, Object values) {
        List<Number> numbers = new ArrayList<>();
        switch (values) {
            case byte[] all -> {
                for (byte one : all) {
                    numbers.add(one & 0xFF);
                }
            }
            case short[] all -> {
                for (short one : all) {
                    numbers.add(one & 0xFFFF);
                }
            }
            case int[] all -> {
                for (int one : all) {
                    numbers.add(one);
                }
            }
            case long[] all -> {
                for (long one : all) {
                    numbers.add(one);
                }
            }
            case float[] all -> {
                for (float one : all) {
                    numbers.add(one);
                }
            }
            case double[] all -> {
                for (double one : all) {
                    numbers.add(one);
                }
            }
            default ->
                throw Caller.error(
                        "the values are a %s; expected an array of bytes, shorts, ints, longs, floats or doubles"
                                .formatted(values.getClass().getSimpleName()));
        }
        return numbers.stream().map(n -> one(type.declared(), new Imm(n))).toList();
    }

    private static String one(Type type, Imm value) {
        if (!value.fits(type) || type.kind == Type.Kind.BITS && !value.isInteger()) {
            throw Caller.error(
                    "the value %s is a Java %s; expected one for %s".formatted(value.value(), value.kind(), type));
        }
        return value.toString();
    }

    static String braces(List<String> values) {
        StringBuilder text = new StringBuilder(" = {");
        for (int i = 0; i < values.size(); i++) {
            text.append(i == 0 ? "" : i % PER_LINE == 0 ? ",\n    " : ", ").append(values.get(i));
        }
        return text.append('}').toString();
    }
}
