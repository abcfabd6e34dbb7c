package dev.wok.text;

import java.time.LocalDateTime;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// The functions that every template may call, those of transformers among them, and the object `loop`.
final class JinjaGlobals {
    private static final int MAX_RANGE = 100_000;

    static final Map<String, Object> FUNCTIONS = Map.of(
            "range", function(JinjaGlobals::range),
            "namespace", function((plain, named) -> new JinjaValues.Namespace(dict("namespace", plain, named))),
            "dict", function((plain, named) -> dict("dict", plain, named)),
            "raise_exception",
                    function((plain, named) -> {
                        throw new JinjaRefusal(plain.isEmpty() ? "" : JinjaValues.str(plain.getFirst()));
                    }),
            "strftime_now",
                    function((plain, named) -> {
                        String format = new JinjaArguments("strftime_now", plain, named, "format").text("format");
                        JinjaWork.spend((long) JinjaWork.OBJECT * format.length());
                        return time(format, LocalDateTime.now(ZoneId.systemDefault()));
                    }));

    private JinjaGlobals() {}

    /// What a template says by `raise_exception`.
    static final class JinjaRefusal extends RuntimeException {
        private static final long serialVersionUID = 1L;

        JinjaRefusal(String message) {
            super(message);
        }
    }

    private static JinjaValues.Function function(JinjaValues.Function function) {
        return function;
    }

    private static Map<String, Object> dict(String name, List<Object> plain, Map<String, Object> named) {
        Map<String, Object> all = new LinkedHashMap<>();
        if (plain.size() > 1 || plain.size() == 1 && !(plain.getFirst() instanceof Map)) {
            throw new JinjaError("%s of something that is no dict, which Wok does not know".formatted(name));
        }
        if (!plain.isEmpty()) {
            ((Map<?, ?>) plain.getFirst()).forEach((key, value) -> all.put(JinjaValues.str(key), value));
        }
        all.putAll(named);
        return all;
    }

    private static Object range(List<Object> plain, Map<String, Object> named) {
        JinjaArguments a = new JinjaArguments("range", plain, named, "start", "stop", "step");
        boolean one = plain.size() == 1;
        long from = one ? 0 : a.number("start", 0);
        long to = one ? a.number("start", 0) : a.number("stop", 0);
        long step = a.number("step", 1);
        if (step == 0) {
            throw new JinjaError("a range with the step 0");
        }
        List<Object> out = new ArrayList<>();
        for (long i = from; step > 0 ? i < to : i > to; i += step) {
            if (out.size() == MAX_RANGE) {
                throw new JinjaError("a range of more than %d numbers".formatted(MAX_RANGE));
            }
            JinjaWork.spend(JinjaWork.STEP);
            out.add(i);
        }
        return out;
    }

    /// A time in the words of C's `strftime`.
    static String time(String format, LocalDateTime time) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < format.length(); i++) {
            char c = format.charAt(i);
            if (c != '%' || i + 1 == format.length()) {
                out.append(c);
                continue;
            }
            char directive = format.charAt(++i);
            boolean bare = directive == '-' && i + 1 < format.length();
            directive = bare ? format.charAt(++i) : directive;
            String pattern = switch (directive) {
                case 'Y' -> "uuuu";
                case 'y' -> "uu";
                case 'm' -> bare ? "M" : "MM";
                case 'd' -> bare ? "d" : "dd";
                case 'H' -> bare ? "H" : "HH";
                case 'I' -> bare ? "h" : "hh";
                case 'M' -> bare ? "m" : "mm";
                case 'S' -> bare ? "s" : "ss";
                case 'f' -> "SSSSSS";
                case 'j' -> bare ? "D" : "DDD";
                case 'B' -> "MMMM";
                case 'b' -> "MMM";
                case 'A' -> "EEEE";
                case 'a' -> "EEE";
                case 'p' -> "a";
                case 'F' -> "uuuu-MM-dd";
                case 'T' -> "HH:mm:ss";
                case '%' -> "'%'";
                default -> throw new JinjaError("the time format %" + directive + ", which Wok does not know");
            };
            out.append(DateTimeFormatter.ofPattern(pattern, Locale.US).format(time));
        }
        return out.toString();
    }

    /// What is known about a pass through a loop.
    record Loop(List<Object> items, int at) implements JinjaValues.Attributes {
        @Override
        public Object get(String name) {
            int size = items.size();
            return switch (name) {
                case "index" -> at + 1L;
                case "index0" -> (long) at;
                case "revindex" -> (long) size - at;
                case "revindex0" -> size - at - 1L;
                case "first" -> at == 0;
                case "last" -> at == size - 1;
                case "length" -> (long) size;
                case "previtem" ->
                    at > 0 ? items.get(at - 1) : new JinjaValues.Undefined("there is no item before the first");
                case "nextitem" ->
                    at + 1 < size ? items.get(at + 1) : new JinjaValues.Undefined("there is no item after the last");
                case "depth" -> 1L;
                case "depth0" -> 0L;
                case "cycle" ->
                    function((plain, named) -> {
                        if (plain.isEmpty()) {
                            throw new JinjaError("a cycle of nothing");
                        }
                        return plain.get(at % plain.size());
                    });
                default -> new JinjaValues.Undefined("the loop has no '" + name + "'");
            };
        }
    }
}
