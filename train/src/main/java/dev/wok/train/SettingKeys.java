package dev.wok.train;

import dev.wok.notice.BadInput;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// The map between the records of [Settings] and flat keys: every component of a nested record is a key, its name in
/// snake_case.
final class SettingKeys {
    /// Leaves a choice to the machine.
    static final String AUTO = "auto";

    private static final SequencedMap<String, RecordComponent> COMPONENTS = components();

    private SettingKeys() {}

    private static SequencedMap<String, RecordComponent> components() {
        SequencedMap<String, RecordComponent> components = new LinkedHashMap<>();
        for (RecordComponent group : Settings.class.getRecordComponents()) {
            for (RecordComponent component : group.getType().getRecordComponents()) {
                components.put(snakeCase(component.getName()), component);
            }
        }
        return components;
    }

    /// `qLoraRank` to `q_lora_rank`; a digit stays with the letter before it.
    static String snakeCase(String camelCase) {
        return camelCase.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }

    static Collection<String> keys() {
        return COMPONENTS.sequencedKeySet();
    }

    static boolean isArchitecture(String key) {
        return component(key).getDeclaringRecord() == Settings.Architecture.class;
    }

    /// @return whether a key may differ between runs that compute the same; false for a key that is not known
    static boolean isFree(String key) {
        RecordComponent component = COMPONENTS.get(key);
        return component != null && component.getAnnotation(Key.class).free();
    }

    /// @return whether this value of a key leaves the choice to the machine
    static boolean isAuto(String key, Object value) {
        return value.equals(AUTO)
                && Arrays.asList(component(key).getAnnotation(Key.class).oneOf())
                        .contains(AUTO);
    }

    /// The typed value of a key.
    ///
    /// @throws BadInput where there is no such key or it does not take this value
    static Object parse(String key, String value) {
        RecordComponent component = component(key);
        Key allowed = component.getAnnotation(Key.class);
        String text = value.strip();
        try {
            return switch (component.getType().getSimpleName()) {
                case "int" -> Math.toIntExact(inRange(allowed, whole(key, text)));
                case "long" -> inRange(allowed, whole(key, text));
                case "double" -> inRange(allowed, Double.parseDouble(text));
                case "boolean" -> truth(text);
                case "List" -> list(text);
                default -> word(allowed, text);
            };
        } catch (IllegalArgumentException | ArithmeticException e) {
            throw new BadInput("%s: \"%s\" was given, expected %s (%s)."
                    .formatted(key, value, expected(component), allowed.value()));
        }
    }

    private static double inRange(Key allowed, double number) {
        if (!(number >= allowed.min() && number <= allowed.max()) || Double.isInfinite(number)) {
            throw new IllegalArgumentException();
        }
        return number;
    }

    private static long inRange(Key allowed, long number) {
        inRange(allowed, (double) number);
        return number;
    }

    private static long whole(String key, String text) {
        return key.equals("q_lora_rank") && (text.equals("null") || text.equals("none")) ? 0 : Long.parseLong(text);
    }

    private static boolean truth(String text) {
        return switch (text) {
            case "true" -> true;
            case "false" -> false;
            default -> throw new IllegalArgumentException();
        };
    }

    private static String word(Key allowed, String text) {
        if (allowed.oneOf().length > 0 && !Arrays.asList(allowed.oneOf()).contains(text)) {
            throw new IllegalArgumentException();
        }
        return text;
    }

    /// Commas within braces belong to a glob.
    private static List<String> list(String text) {
        return text.isEmpty() ? List.of() : List.of(text.split("\\s*,\\s*(?![^{]*})"));
    }

    private static String expected(RecordComponent component) {
        Key allowed = component.getAnnotation(Key.class);
        return switch (component.getType().getSimpleName()) {
            case "int", "long" -> "a whole number" + range(allowed, component.getType() == int.class);
            case "double" -> "a number" + range(allowed, false);
            case "boolean" -> "true or false";
            case "List" -> "a list separated by commas";
            default -> allowed.oneOf().length == 0 ? "text" : String.join(" or ", allowed.oneOf());
        };
    }

    private static String range(Key allowed, boolean isInt) {
        double max = isInt ? Math.min(allowed.max(), Integer.MAX_VALUE) : allowed.max();
        if (allowed.min() == Long.MIN_VALUE) {
            return "";
        }
        return Double.isInfinite(max) || max == Integer.MAX_VALUE
                ? ", at least " + number(allowed.min())
                : " from %s to %s".formatted(number(allowed.min()), number(max));
    }

    private static String number(double value) {
        return value == Math.rint(value) && Math.abs(value) < 1e15
                ? Long.toString((long) value)
                : Double.toString(value);
    }

    private static RecordComponent component(String key) {
        RecordComponent component = COMPONENTS.get(key);
        if (component == null) {
            throw new BadInput("there is no setting %s; the nearest is %s. `wok train --settings` lists all."
                    .formatted(key, nearest(key)));
        }
        return component;
    }

    /// @return the key with the smallest edit distance for its length; the earlier one where two are as near
    static String nearest(String key) {
        String wanted = key.toLowerCase(Locale.ROOT).replace('-', '_');
        String best = "";
        double least = Double.POSITIVE_INFINITY;
        for (String candidate : keys()) {
            double distance = distance(wanted, candidate) / (double) Math.max(wanted.length(), candidate.length());
            if (distance < least) {
                least = distance;
                best = candidate;
            }
        }
        return best;
    }

    /// Levenshtein's distance.
    private static int distance(String a, String b) {
        int[] row = new int[b.length() + 1];
        Arrays.setAll(row, j -> j);
        for (int i = 1; i <= a.length(); i++) {
            int diagonal = row[0];
            row[0] = i;
            for (int j = 1; j <= b.length(); j++) {
                int replaced = diagonal + (a.charAt(i - 1) == b.charAt(j - 1) ? 0 : 1);
                diagonal = row[j];
                row[j] = Math.min(replaced, Math.min(row[j], row[j - 1]) + 1);
            }
        }
        return row[b.length()];
    }

    /// @param values every key with its value as a person writes it
    static Settings settings(Map<String, String> values) {
        values.keySet().forEach(SettingKeys::component);
        Object[] groups = Arrays.stream(Settings.class.getRecordComponents())
                .map(group -> {
                    List<Object> fields = new ArrayList<>();
                    for (RecordComponent component : group.getType().getRecordComponents()) {
                        String key = snakeCase(component.getName());
                        String value = values.get(key);
                        if (value == null) {
                            throw new BadInput("the setting %s is missing.".formatted(key));
                        }
                        fields.add(parse(key, value));
                    }
                    return create(group.getType(), fields.toArray());
                })
                .toArray();
        return (Settings) create(Settings.class, groups);
    }

    private static Object create(Class<?> type, @Nullable Object[] fields) {
        Class<?>[] types = Arrays.stream(type.getRecordComponents())
                .map(RecordComponent::getType)
                .toArray(Class<?>[]::new);
        try {
            Constructor<?> constructor = type.getDeclaredConstructor(types);
            return constructor.newInstance(fields);
        } catch (InvocationTargetException e) {
            if (e.getCause() instanceof RuntimeException refused) {
                throw refused;
            }
            throw new IllegalStateException(e);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    static SequencedMap<String, Object> values(Settings settings) {
        SequencedMap<String, Object> values = new LinkedHashMap<>();
        for (RecordComponent group : Settings.class.getRecordComponents()) {
            Object record = get(group, settings);
            for (RecordComponent component : group.getType().getRecordComponents()) {
                values.put(snakeCase(component.getName()), get(component, record));
            }
        }
        return values;
    }

    private static Object get(RecordComponent component, Object record) {
        try {
            return component.getAccessor().invoke(record);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /// @return a value as a person writes it
    static String text(@Nullable Object value) {
        return value instanceof Collection<?> list
                ? list.stream().map(String::valueOf).collect(Collectors.joining(","))
                : String.valueOf(value);
    }

    static List<String> help(Settings defaults) {
        List<String> lines = new ArrayList<>();
        values(defaults)
                .forEach((key, value) -> lines.add("%-24s %-14s %s; %s"
                        .formatted(
                                key,
                                text(value).isEmpty() ? "-" : text(value),
                                component(key).getAnnotation(Key.class).value(),
                                expected(component(key)))));
        return lines;
    }
}
