package dev.wok.device.cuda;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// The head of a function in PTX that can be launched: its name and its parameters.
record PtxEntry(String name, List<Parameter> parameters) {
    /// @param type as PTX has it, `.f32`
    /// @param count of elements, 1 where it is no array
    /// @param alignment of its bytes
    record Parameter(String name, String type, int count, int alignment) {
        /// @return its size
        int bytes() {
            return count * size(type);
        }

        boolean isArray() {
            return count > 1;
        }

        @Override
        public String toString() {
            return ".param %s %s%s".formatted(type, name, isArray() ? "[" + count + "]" : "");
        }
    }

    private static final Pattern COMMENT = Pattern.compile("//[^\n]*|/\\*.*?\\*/", Pattern.DOTALL);
    private static final Pattern HEAD = Pattern.compile("\\.entry\\s+([\\w$%]+)\\s*(?:\\(([^)]*)\\))?");
    private static final Pattern ALIGN = Pattern.compile("\\.align\\s+(\\d+)");
    private static final Pattern TYPE = Pattern.compile("\\.([a-z]+)(\\d+)\\b");
    private static final Pattern NAME = Pattern.compile("([\\w$%]+)\\s*(?:\\[\\s*(\\d*)\\s*])?\\s*$");

    private static int size(String type) {
        return Integer.parseInt(type.replaceAll("\\D", "")) / 8;
    }

    /// @return the entries of a text that assembles, in its order
    static SequencedMap<String, PtxEntry> of(String ptx) {
        SequencedMap<String, PtxEntry> entries = new LinkedHashMap<>();
        Matcher head = HEAD.matcher(COMMENT.matcher(ptx).replaceAll(" "));
        while (head.find()) {
            List<Parameter> parameters = new ArrayList<>();
            String list = head.group(2) == null ? "" : head.group(2).strip();
            if (!list.isEmpty()) {
                for (String declaration : list.split(",", -1)) {
                    parameters.add(parameter(declaration.strip()));
                }
            }
            entries.put(head.group(1), new PtxEntry(head.group(1), parameters));
        }
        return entries;
    }

    /// A declaration such as `.param .u64 .ptr .global .align 16 x` or `.param .align 64 .b8 map[128]`.
    private static Parameter parameter(String declaration) {
        Matcher type = TYPE.matcher(declaration);
        Matcher name = NAME.matcher(declaration);
        if (!type.find() || !name.find()) {
            throw new IllegalArgumentException("not a parameter of a PTX entry: %s".formatted(declaration));
        }
        String element = "." + type.group(1) + type.group(2);
        int count = name.group(2) == null || name.group(2).isEmpty() ? 1 : Integer.parseInt(name.group(2));
        Matcher align = ALIGN.matcher(declaration);
        boolean isAligned = align.find() && align.start() < type.start();
        int alignment = isAligned ? Integer.parseInt(align.group(1)) : size(element);
        return new Parameter(name.group(1), element, count, alignment);
    }
}
