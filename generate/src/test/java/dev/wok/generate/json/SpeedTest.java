package dev.wok.generate.json;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.testkit.Seeds;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.TestReporter;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/// What a mask costs beside a step of a model, with vocabularies as large as those of models.
@Tag("slow")
class SpeedTest {
    private static final List<String> WORDS = new ArrayList<>();
    private static final Map<String, String> SCHEMAS = schemas();

    /// The names of the JDK's classes and their parts, as words of a vocabulary, with what stands before
    /// and after words in JSON, in code and in prose.
    @BeforeAll
    static void words() throws IOException {
        Map<String, Integer> counts = new HashMap<>();
        Path modules = FileSystems.getFileSystem(URI.create("jrt:/")).getPath("modules");
        Pattern parts = Pattern.compile("[A-Z]?[a-z]+|[A-Z]+|[0-9]+");
        try (Stream<Path> files = Files.walk(modules)) {
            files.map(Path::toString).forEach(name -> {
                parts.matcher(name).results().forEach(part -> counts.merge(part.group(), 1, Integer::sum));
                String last = name.substring(name.lastIndexOf('/') + 1);
                counts.merge(last.split("[.$]", 2)[0], 1, Integer::sum);
            });
        }
        for (String text : List.of(
                "\"", "\":", "\": ", "\": \"", "\",", "\", \"", "\"}", "\"]", "\"},", "\"],", ":\"", ",\"", "{\"",
                "[\"", "}", "}}", "}]", "]", "]]", "],", "},", "\n", "\n\n", ": ", ", ", "\": {\"", "\":[", "\":{\"",
                "\":\"", "{", "[", "[{\"", "\"},{\"", "true", "false", "null", "true,", "null,")) {
            WORDS.add(text);
        }
        for (int i = 1; i <= 64; i++) {
            WORDS.add(" ".repeat(i));
            WORDS.add("\n" + " ".repeat(i));
        }
        IntStream.range(0, 1000).mapToObj(Integer::toString).forEach(WORDS::add);
        List<String> sorted = counts.entrySet().stream()
                .sorted(Map.Entry.<String, Integer>comparingByValue().reversed())
                .map(Map.Entry::getKey)
                .filter(word -> !word.isEmpty() && word.length() < 24)
                .toList();
        for (int i = 0; i < sorted.size(); i++) {
            String word = sorted.get(i);
            WORDS.addAll(List.of(word, " " + word));
            if (i < 20_000) {
                WORDS.addAll(List.of(word.toLowerCase(Locale.ROOT), "_" + word, "." + word, word + "("));
            }
            if (i < 2000) {
                WORDS.addAll(List.of("\"" + word, word + "\"", word + "\":", word + ",", "é" + word, "世" + word));
            }
        }
    }

    private static Map<String, String> schemas() {
        Map<String, String> schemas = new LinkedHashMap<>();
        schemas.put("any JSON", "true");
        schemas.put("a long string", "{\"type\": \"string\", \"minLength\": 500, \"maxLength\": 5000}");
        schemas.put("a string with a pattern", "{\"type\": \"string\", \"pattern\": \"^[A-Z][a-z0-9 ]{100,1000}$\"}");
        schemas.put("a pattern of any characters", "{\"type\": \"string\", \"pattern\": \"^\\\\S.*[.]$\"}");
        schemas.put(
                "a pattern with any characters and a length",
                "{\"type\": \"string\", \"pattern\": \"^.*[.]$\", \"maxLength\": 300}");
        schemas.put(
                "a long array",
                "{\"type\": \"array\", \"items\": {\"type\": \"integer\"}, \"minItems\": 300, \"maxItems\": 2000}");
        schemas.put(
                "a long array of strings",
                "{\"type\": \"array\", \"items\": {\"type\": \"string\", \"maxLength\": 30}, \"minItems\": 100, \"maxItems\": 300}");
        schemas.put("dates and numbers", """
                {"type": "array", "minItems": 50, "items": {"type": "object", "required": ["at", "id", "n", "mail"],
                "properties": {"at": {"format": "date-time", "type": "string"}, "id": {"format": "uuid", "type": "string"},
                "n": {"type": "number", "minimum": -12.5, "exclusiveMaximum": 1e6},
                "mail": {"type": "string", "format": "email"}}}}""");
        schemas.put(
                "deep nesting",
                "{\"$defs\": {\"t\": {\"type\": \"array\", \"minItems\": 1, \"items\": {\"anyOf\": [{\"$ref\": \"#/$defs/t\"},"
                        + " {\"$ref\": \"#/$defs/t\"}, {\"type\": \"boolean\"}]}}}, \"$ref\": \"#/$defs/t\"}");
        schemas.put(
                "a choice of 1000 strings",
                "{\"type\": \"array\", \"minItems\": 100, \"items\": {\"enum\": ["
                        + IntStream.range(0, 1000)
                                .mapToObj(i -> "\"" + Integer.toString(i * 7919, 36) + " choice\"")
                                .collect(Collectors.joining(", "))
                        + "]}}");
        schemas.put(
                "100 properties",
                "{\"type\": \"object\", \"properties\": {"
                        + IntStream.range(0, 100)
                                .mapToObj(i -> "\"property" + i
                                        + "\": {\"type\": [\"string\", \"number\", \"null\"], \"maxLength\": 20}")
                                .collect(Collectors.joining(", "))
                        + "}, \"minProperties\": 60}");
        schemas.put(
                "open objects",
                "{\"type\": \"object\", \"minProperties\": 100, \"additionalProperties\": {\"type\": \"string\", \"maxLength\": 20}}");
        schemas.put(
                "choices of objects",
                "{\"type\": \"array\", \"minItems\": 50, \"items\": {\"oneOf\": ["
                        + IntStream.range(0, 30)
                                .mapToObj(i ->
                                        "{\"type\": \"object\", \"required\": [\"kind\", \"text\"], \"properties\": {\"kind\":"
                                                + " {\"const\": \"kind" + i
                                                + "\"}, \"text\": {\"type\": \"string\", \"maxLength\": 50}}}")
                                .collect(Collectors.joining(", "))
                        + "]}}");
        return schemas;
    }

    /// @param size of the vocabulary
    /// @param most milliseconds for a token on average
    @ParameterizedTest
    @CsvSource({"8192, 0.1", "151936, 1"})
    void masksAreQuick(int size, double most, TestReporter reporter) {
        Random random = new Random(Seeds.of("SpeedTest"));
        List<byte[]> tokens = Tokens.large(size, WORDS, random);
        long begun = System.nanoTime();
        Trie trie = new Trie(tokens);
        double seconds = (System.nanoTime() - begun) / 1e9;
        reporter.publishEntry("%d tokens, %d nodes in %.2f s".formatted(size, trie.nodes(), seconds));
        assertTrue(seconds < 5, seconds + " s");
        List<Long> all = new ArrayList<>();
        for (boolean warm : new boolean[] {false, true}) {
            SCHEMAS.forEach((name, schema) -> {
                List<Long> nanos = new ArrayList<>();
                long before = System.nanoTime();
                Grammar grammar = Grammar.schema(schema);
                double compiled = (System.nanoTime() - before) / 1e6;
                for (int text = 0; text < 4; text++) {
                    talk(grammar, trie, random, nanos);
                }
                if (warm) {
                    all.addAll(nanos);
                    reporter.publishEntry("%s, read in %.1f ms: %s".formatted(name, compiled, shown(nanos)));
                }
            });
        }
        reporter.publishEntry("all: " + shown(all));
        double mean = all.stream().mapToLong(n -> n).average().orElseThrow() / 1e6;
        assertTrue(mean < most, "%.3f ms".formatted(mean));
    }

    private static void talk(Grammar grammar, Trie trie, Random random, List<Long> nanos) {
        Matcher matcher = grammar.matcher(trie);
        for (int i = 0; i < 600 && !matcher.mustEnd(); i++) {
            long begun = System.nanoTime();
            long[] allowed = matcher.allowed();
            long taken = System.nanoTime() - begun;
            int id = pick(Bits.of(allowed), random, trie);
            begun = System.nanoTime();
            matcher.accept(id);
            nanos.add(taken + System.nanoTime() - begun);
        }
    }

    /// Single bytes are rare in texts.
    private static int pick(List<Integer> ids, Random random, Trie trie) {
        int id = ids.get(random.nextInt(ids.size()));
        for (int i = 0; i < 3 && trie.bytes(id).length < 2; i++) {
            id = ids.get(random.nextInt(ids.size()));
        }
        return id;
    }

    private static String shown(List<Long> nanos) {
        long[] sorted = nanos.stream().mapToLong(n -> n).sorted().toArray();
        return "%d tokens, mean %.3f ms, p90 %.3f, p99 %.3f, worst %.3f"
                .formatted(
                        sorted.length,
                        Arrays.stream(sorted).average().orElse(0) / 1e6,
                        sorted[sorted.length * 9 / 10] / 1e6,
                        sorted[sorted.length * 99 / 100] / 1e6,
                        sorted[sorted.length - 1] / 1e6);
    }
}
