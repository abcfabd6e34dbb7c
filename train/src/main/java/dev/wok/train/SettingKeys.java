package dev.wok.train;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.RecordComponent;
import java.nio.charset.StandardCharsets;
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
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;
import tools.jackson.databind.JsonNode;

/// The map between records of settings and flat keys: every component of a record is a key, its name
/// in snake_case, described by its [Key].
public final class SettingKeys {
    /// Leaves a choice to the machine.
    static final String AUTO = "auto";

    private final String listing;
    private final List<Class<? extends Record>> groups;
    private final SequencedMap<String, RecordComponent> components = new LinkedHashMap<>();

    /// The keys of some records, which are public and share no key.
    ///
    /// @param listing the command that lists all settings, for people who gave one that is not there
    /// @param groups the records, in the order of their keys
    public SettingKeys(String listing, List<Class<? extends Record>> groups) {
        this.listing = listing;
        this.groups = List.copyOf(groups);
        for (Class<? extends Record> group : groups) {
            for (RecordComponent component : group.getRecordComponents()) {
                if (components.put(snakeCase(component.getName()), component) != null) {
                    throw new IllegalArgumentException("two settings are called " + component.getName());
                }
            }
        }
    }

    /// `qLoraRank` to `q_lora_rank`; a digit stays with the letter before it.
    static String snakeCase(String camelCase) {
        return camelCase.replaceAll("([A-Z])", "_$1").toLowerCase(Locale.ROOT);
    }

    /// @return whether a key may differ between runs that compute the same; false for a key that is not known
    boolean isFree(String key) {
        RecordComponent component = components.get(key);
        return component != null && component.getAnnotation(Key.class).free();
    }

    /// @return whether this value of a key leaves the choice to the machine
    private boolean isAuto(String key, Object value) {
        return value.equals(AUTO)
                && Arrays.asList(component(key).getAnnotation(Key.class).oneOf())
                        .contains(AUTO);
    }

    /// The typed value of a key.
    ///
    /// @throws BadInput where there is no such key or it does not take this value
    public Object parse(String key, String value) {
        RecordComponent component = component(key);
        Key allowed = component.getAnnotation(Key.class);
        String text = value.strip();
        try {
            return switch (component.getType().getSimpleName()) {
                case "int" -> Math.toIntExact(inRange(allowed, whole(allowed, text)));
                case "long" -> inRange(allowed, whole(allowed, text));
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

    private static long whole(Key allowed, String text) {
        return Arrays.asList(allowed.zero()).contains(text) ? 0 : Long.parseLong(text);
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

    private RecordComponent component(String key) {
        RecordComponent component = components.get(key);
        if (component == null) {
            throw new BadInput(
                    "there is no setting %s; the nearest is %s. `%s` lists all.".formatted(key, nearest(key), listing));
        }
        return component;
    }

    /// @return the key with the smallest edit distance for its length; the earlier one where two are as near
    private String nearest(String key) {
        String wanted = key.toLowerCase(Locale.ROOT).replace('-', '_');
        String best = "";
        double least = Double.POSITIVE_INFINITY;
        for (String candidate : components.keySet()) {
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
    /// @return the records, in the order in which they were given
    /// @throws BadInput where a key is missing or not known, or a value is not what it may be
    public List<Record> records(Map<String, String> values) {
        values.keySet().forEach(this::component);
        List<Record> records = new ArrayList<>();
        for (Class<? extends Record> group : groups) {
            List<Object> fields = new ArrayList<>();
            for (RecordComponent component : group.getRecordComponents()) {
                String key = snakeCase(component.getName());
                String value = values.get(key);
                if (value == null) {
                    throw new BadInput("the setting %s is missing.".formatted(key));
                }
                fields.add(parse(key, value));
            }
            records.add(create(group, fields.toArray()));
        }
        return records;
    }

    private static Record create(Class<? extends Record> type, @Nullable Object[] fields) {
        Class<?>[] types = Arrays.stream(type.getRecordComponents())
                .map(RecordComponent::getType)
                .toArray(Class<?>[]::new);
        try {
            Constructor<? extends Record> constructor = type.getDeclaredConstructor(types);
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

    /// @param records one for each class that was given, in that order
    /// @return their values by key: numbers, booleans, strings and lists of strings
    public SequencedMap<String, Object> values(List<? extends Record> records) {
        SequencedMap<String, Object> values = new LinkedHashMap<>();
        for (Record record : records) {
            for (RecordComponent component : record.getClass().getRecordComponents()) {
                values.put(snakeCase(component.getName()), get(component, record));
            }
        }
        return values;
    }

    /// @return values as a person writes them
    public static SequencedMap<String, String> texts(Map<String, Object> values) {
        SequencedMap<String, String> texts = new LinkedHashMap<>();
        values.forEach((key, value) -> texts.put(key, text(value)));
        return texts;
    }

    /// A run's values as it goes on with others: those that change no number may differ.
    ///
    /// @param values by key, as the run keeps them
    /// @param options by key, as a person writes them
    /// @throws BadInput naming the first that contradicts the run
    public SequencedMap<String, String> resumed(Map<String, Object> values, Map<String, String> options) {
        SequencedMap<String, String> all = texts(values);
        options.forEach((key, value) -> {
            Object given = parse(key, value);
            if (isAuto(key, given)) {
                return;
            }
            Object known = parse(key, all.getOrDefault(key, ""));
            if (!given.equals(known) && !isFree(key)) {
                throw contradiction(key, known, given);
            }
            all.put(key, value);
        });
        return all;
    }

    /// @return the refusal to go on with a run differently
    static BadInput contradiction(String what, Object known, Object given) {
        return new BadInput("this run was made with %s %s, %s was given; resume without it, or start another run."
                .formatted(what, known, given));
    }

    /// @return a checksum of all values that decide about the numbers of a run
    public String fingerprint(Map<String, Object> values) {
        StringBuilder text = new StringBuilder();
        values.forEach((key, value) -> {
            if (!isFree(key)) {
                text.append(key).append('=').append(text(value)).append('\n');
            }
        });
        return Seal.sum(text.toString().getBytes(StandardCharsets.UTF_8));
    }

    /// Reads values of a resource in YAML, as a person writes them.
    ///
    /// @param resource opened by whose module it is in, for others may not; closed
    /// @param name for who misses it
    public static SequencedMap<String, String> resource(@Nullable InputStream resource, String name) {
        try (InputStream stream = resource) {
            if (stream == null) {
                throw new IllegalStateException("the settings %s are missing from the module".formatted(name));
            }
            SequencedMap<String, String> values = new LinkedHashMap<>();
            Object root =
                    new Load(LoadSettings.builder().setAllowDuplicateKeys(false).build()).loadFromInputStream(stream);
            ((Map<?, ?>) root).forEach((key, value) -> values.put(String.valueOf(key), text(value)));
            return values;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /// @return values as JSON keeps them, as a person writes them
    public static SequencedMap<String, String> texts(JsonNode values) {
        SequencedMap<String, String> texts = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : values.properties()) {
            JsonNode value = entry.getValue();
            texts.put(
                    entry.getKey(),
                    value.isArray()
                            ? value.valueStream().map(JsonNode::asString).collect(Collectors.joining(","))
                            : value.asString());
        }
        return texts;
    }

    private static Object get(RecordComponent component, Object record) {
        try {
            return component.getAccessor().invoke(record);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    /// @return a value as a person writes it
    public static String text(@Nullable Object value) {
        return value instanceof Collection<?> list
                ? list.stream().map(String::valueOf).collect(Collectors.joining(","))
                : String.valueOf(value);
    }

    /// @param records one for each class that was given, in that order
    /// @return a line for each key: its value, its meaning, what it may be
    public List<String> help(List<? extends Record> records) {
        List<String> lines = new ArrayList<>();
        values(records)
                .forEach((key, value) -> lines.add("%-24s %-14s %s; %s"
                        .formatted(
                                key,
                                text(value).isEmpty() ? "-" : text(value),
                                component(key).getAnnotation(Key.class).value(),
                                expected(component(key)))));
        return lines;
    }
}
