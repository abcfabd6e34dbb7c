package dev.wok.cli;

import dev.wok.device.EmulatedGpu.Kernel.Parameter;
import dev.wok.device.TensorMap;
import dev.wok.device.TensorMap.Swizzle;
import dev.wok.notice.BadInput;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// What a kernel's parameter gets.
sealed interface PtxArgument {
    String BUFFER = "TYPE[COUNT], TYPE[COUNT]=INIT: f32[1000]=iota";
    String MAP = "map:TYPE[ROWS,COLUMNS]/BOXROWS,BOXCOLUMNS, then /32, /64 or /128 for a swizzle, then =INIT:"
            + " map:bf16[256,64]/64,64/128=random";

    Pattern SHAPED = Pattern.compile("(?<type>\\w+)\\[(?<sizes>\\d+(,\\d+)*)](=(?<init>.+))?");
    Pattern MAPPED = Pattern.compile("map:(?<type>\\w+)\\[(?<sizes>\\d+(,\\d+)*)]/(?<box>\\d+(,\\d+)*)"
            + "(/(?<swizzle>32|64|128))?(=(?<init>.+))?");
    int MOST_DIMENSIONS = 5;

    /// A number of the parameter's own size.
    record Scalar(Number value) implements PtxArgument {
        @Override
        public String toString() {
            return value.toString();
        }
    }

    /// Memory of the GPU, as its address.
    record Buffer(PtxElement element, List<Long> sizes, PtxFill fill) implements PtxArgument {
        long[] shape() {
            return sizes.stream().mapToLong(Long::longValue).toArray();
        }

        long bytes() {
            return sizes.stream().reduce((long) element.dtype().bytes(), (a, b) -> a * b);
        }

        /// @return without what is in it
        String type() {
            return element.text() + sizes.stream().map(String::valueOf).collect(Collectors.joining(",", "[", "]"));
        }

        @Override
        public String toString() {
            return type() + "=" + fill;
        }
    }

    /// Memory of the GPU, as a tensor map.
    record Mapped(Buffer buffer, List<Integer> box, Swizzle swizzle) implements PtxArgument {
        @Override
        public String toString() {
            String boxed = box.stream().map(String::valueOf).collect(Collectors.joining(","));
            String swizzled =
                    swizzle == Swizzle.NONE ? "" : "/" + swizzle.name().substring(1);
            return "map:%s/%s%s=%s".formatted(buffer.type(), boxed, swizzled, buffer.fill());
        }
    }

    /// @param text as it was given
    /// @param where what the argument is called in a refusal
    /// @param folder that names of files in it start from
    /// @throws BadInput where the parameter cannot get it
    static PtxArgument parse(String text, Parameter parameter, String where, Path folder) {
        if (isMap(parameter)) {
            Matcher map = MAPPED.matcher(text);
            if (!map.matches()) {
                throw new BadInput("%s: '%s' is no tensor map, expected %s.".formatted(where, text, MAP));
            }
            return map(map, where, folder);
        }
        requirePassable(parameter, where);
        Matcher shaped = SHAPED.matcher(text);
        if (isAddress(parameter)) {
            if (shaped.matches()) {
                return buffer(shaped, where, folder);
            }
            if (text.contains("[") || text.startsWith("map:")) {
                throw new BadInput("%s: '%s' is no buffer, expected %s.".formatted(where, text, BUFFER));
            }
        } else if (text.contains("[")) {
            throw new BadInput("%s: %s is a .%s, expected a number, not '%s'."
                    .formatted(where, parameter.name(), parameter.type(), text));
        }
        return new Scalar(PtxNumbers.parse(text, parameter, where));
    }

    /// @return whether it may hold the address of a buffer
    static boolean isAddress(Parameter parameter) {
        return !parameter.isArray()
                && parameter.bytes() == Long.BYTES
                && !parameter.type().startsWith("f");
    }

    static boolean isMap(Parameter parameter) {
        return parameter.isArray() && parameter.bytes() == TensorMap.BYTES;
    }

    /// @param where what the parameter is called in a refusal
    /// @throws BadInput where no launch can give a value to a parameter
    static void requirePassable(Parameter parameter, String where) {
        if (parameter.isArray() || parameter.bytes() > Long.BYTES) {
            throw new BadInput(
                    "%s has %d bytes by value, which cannot be given: make its parts parameters, or name another kernel with --kernel."
                            .formatted(where, parameter.bytes()));
        }
    }

    private static Buffer buffer(Matcher match, String where, Path folder) {
        PtxElement element = PtxElement.of(match.group("type"), where);
        List<Long> sizes = sizes(match.group("sizes"), where);
        try {
            long bytes = sizes.stream().reduce((long) element.dtype().bytes(), Math::multiplyExact);
            return new Buffer(element, sizes, PtxFill.parse(match.group("init"), element, bytes, where, folder));
        } catch (ArithmeticException e) {
            throw new BadInput("%s: %s is larger than any memory.".formatted(where, match.group()), e);
        }
    }

    private static Mapped map(Matcher match, String where, Path folder) {
        Buffer buffer = buffer(match, where, folder);
        List<Long> box = sizes(match.group("box"), where);
        if (box.size() != buffer.sizes().size()) {
            throw new BadInput("%s: the box has %s, %s has %s; expected as many."
                    .formatted(
                            where,
                            Amounts.of(box.size(), "dimensions"),
                            buffer.type(),
                            Amounts.of(buffer.sizes().size(), "dimensions")));
        }
        String swizzle = match.group("swizzle");
        return new Mapped(
                buffer,
                box.stream().map(Long::intValue).toList(),
                swizzle == null ? Swizzle.NONE : Swizzle.valueOf("B" + swizzle));
    }

    private static List<Long> sizes(String text, String where) {
        String[] parts = text.split(",", -1);
        if (parts.length > MOST_DIMENSIONS) {
            throw new BadInput("%s: [%s] has %d dimensions, expected 1 to %d."
                    .formatted(where, text, parts.length, MOST_DIMENSIONS));
        }
        return Arrays.stream(parts)
                .map(part -> {
                    if (part.length() > 12 || Long.parseLong(part) < 1) {
                        throw new BadInput(
                                "%s: a size is %s, expected 1 or more, and what fits memory.".formatted(where, part));
                    }
                    return Long.parseLong(part);
                })
                .toList();
    }
}
