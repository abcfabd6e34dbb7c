package dev.wok.tune;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.Set;
import java.util.regex.Pattern;
import org.snakeyaml.engine.v2.api.LoadSettings;
import org.snakeyaml.engine.v2.composer.Composer;
import org.snakeyaml.engine.v2.exceptions.MarkedYamlEngineException;
import org.snakeyaml.engine.v2.exceptions.YamlEngineException;
import org.snakeyaml.engine.v2.nodes.MappingNode;
import org.snakeyaml.engine.v2.nodes.Node;
import org.snakeyaml.engine.v2.nodes.NodeTuple;
import org.snakeyaml.engine.v2.nodes.ScalarNode;
import org.snakeyaml.engine.v2.nodes.SequenceNode;
import org.snakeyaml.engine.v2.parser.ParserImpl;
import org.snakeyaml.engine.v2.scanner.StreamReader;

/// A pipeline as its file describes it.
///
/// @param path the file
/// @param out the folder of its stages, where the file names one
/// @param stages in their order
record PipelineFile(Path path, Optional<Path> out, List<Stage> stages) {
    /// What a stage does.
    enum Kind {
        TEXT,
        TRAIN,
        SFT,
        DPO,
        GRPO,
        SAMPLE,
        DISTILL,
        EVAL;

        String text() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    /// A stage. What it reads are names of stages before it, or paths.
    ///
    /// @param line where it begins in the file, from 1
    /// @param model what it begins with
    /// @param data what it reads
    /// @param settings by key, as a person writes them
    record Stage(
            String name,
            Kind kind,
            int line,
            Optional<String> model,
            List<String> data,
            Optional<String> teacher,
            Optional<String> preset,
            SequencedMap<String, String> settings) {}

    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9][A-Za-z0-9._-]*");
    private static final Set<String> KEYS = Set.of("name", "kind", "model", "data", "teacher", "preset", "settings");

    /// @throws BadInput with the line of what is wrong
    static PipelineFile read(Path path) {
        String text;
        try {
            text = Files.readString(path);
        } catch (IOException e) {
            throw BadInput.reading(path, e);
        }
        try {
            LoadSettings settings =
                    LoadSettings.builder().setLabel(path.toString()).build();
            Node root = new Composer(settings, new ParserImpl(settings, new StreamReader(settings, text)))
                    .getSingleNode()
                    .orElseThrow(() -> new BadInput("%s is empty, expected stages.".formatted(path)));
            return new Reader(path).file(root);
        } catch (MarkedYamlEngineException e) {
            int line = e.getProblemMark().map(mark -> mark.getLine() + 1).orElse(0);
            throw new BadInput("%s, line %d: %s.".formatted(path, line, e.getProblem()), e);
        } catch (YamlEngineException e) {
            throw new BadInput("%s is not YAML: %s.".formatted(path, e.getMessage()), e);
        }
    }

    /// The refusal of something in a stage.
    BadInput refusal(Stage stage, String message, BadInput cause) {
        return new BadInput("%s, line %d, stage %s: %s".formatted(path, stage.line, stage.name, message), cause);
    }

    private record Reader(Path path) {
        PipelineFile file(Node root) {
            SequencedMap<String, Node> fields = fields(root);
            Optional<Path> out = Optional.empty();
            List<Stage> stages = new ArrayList<>();
            for (var field : fields.entrySet()) {
                switch (field.getKey()) {
                    case "out" -> out = Optional.of(beside(text(field.getValue())));
                    case "stages" -> stages(field.getValue(), stages);
                    default ->
                        throw wrong(
                                field.getValue(),
                                "there is no %s, a pipeline has out and stages".formatted(field.getKey()));
                }
            }
            if (stages.isEmpty()) {
                throw wrong(root, "it has no stages");
            }
            return new PipelineFile(path, out, List.copyOf(stages));
        }

        private Path beside(String given) {
            return path.toAbsolutePath().resolveSibling(given);
        }

        private void stages(Node node, List<Stage> stages) {
            if (!(node instanceof SequenceNode list)) {
                throw wrong(node, "stages is no list");
            }
            for (Node one : list.getValue()) {
                Stage stage = stage(one);
                if (stages.stream().anyMatch(before -> before.name.equals(stage.name))) {
                    throw wrong(one, "two stages are called %s".formatted(stage.name));
                }
                stages.add(stage);
            }
        }

        private Stage stage(Node node) {
            SequencedMap<String, Node> fields = fields(node);
            for (String key : fields.keySet()) {
                if (!KEYS.contains(key)) {
                    throw wrong(
                            fields.get(key),
                            "there is no %s, a stage has name, kind, model, data, teacher, preset and settings"
                                    .formatted(key));
                }
            }
            String kindName = required(node, fields, "kind");
            Kind kind = kind(fields.getOrDefault("kind", node), kindName);
            String name = fields.containsKey("name") ? text(fields.get("name")) : kindName;
            if (!NAME.matcher(name).matches()) {
                throw wrong(
                        fields.getOrDefault("name", node),
                        "a stage is called \"%s\", expected letters, digits, - and _".formatted(name));
            }
            SequencedMap<String, String> settings = new LinkedHashMap<>();
            if (fields.containsKey("settings")) {
                fields(fields.get("settings"))
                        .forEach((key, value) -> settings.put(key, String.join(",", texts(value))));
            }
            settings.computeIfPresent("task", (_, task) -> Tasks.located(task, beside("")));
            return new Stage(
                    name,
                    kind,
                    line(node),
                    one(fields, "model"),
                    fields.containsKey("data")
                            ? texts(fields.get("data")).stream()
                                    .map(Reader::bare)
                                    .toList()
                            : List.of(),
                    one(fields, "teacher"),
                    one(fields, "preset"),
                    settings);
        }

        private Kind kind(Node node, String name) {
            for (Kind kind : Kind.values()) {
                if (kind.text().equals(name)) {
                    return kind;
                }
            }
            throw wrong(
                    node,
                    "there is no kind %s, expected text, train, sft, dpo, grpo, sample, distill or eval"
                            .formatted(name));
        }

        private Optional<String> one(SequencedMap<String, Node> fields, String key) {
            return Optional.ofNullable(fields.get(key)).map(node -> bare(text(node)));
        }

        /// `${name}` to `name`.
        private static String bare(String given) {
            return given.startsWith("${") && given.endsWith("}")
                    ? given.substring(2, given.length() - 1).strip()
                    : given;
        }

        private String required(Node node, SequencedMap<String, Node> fields, String key) {
            Node field = fields.get(key);
            if (field == null) {
                throw wrong(node, "a stage has no %s".formatted(key));
            }
            return text(field);
        }

        private SequencedMap<String, Node> fields(Node node) {
            if (!(node instanceof MappingNode map)) {
                throw wrong(node, "keys with values were expected");
            }
            SequencedMap<String, Node> fields = new LinkedHashMap<>();
            for (NodeTuple tuple : map.getValue()) {
                String key = text(tuple.getKeyNode());
                if (fields.put(key, tuple.getValueNode()) != null) {
                    throw wrong(tuple.getKeyNode(), "%s is given twice".formatted(key));
                }
            }
            return fields;
        }

        private String text(Node node) {
            if (!(node instanceof ScalarNode scalar)) {
                throw wrong(node, "one value was expected");
            }
            return scalar.getValue();
        }

        private List<String> texts(Node node) {
            return node instanceof SequenceNode list
                    ? list.getValue().stream().map(this::text).toList()
                    : List.of(text(node));
        }

        private static int line(Node node) {
            return node.getStartMark().map(mark -> mark.getLine() + 1).orElse(0);
        }

        private BadInput wrong(Node node, String message) {
            return new BadInput("%s, line %d: %s.".formatted(path, line(node), message));
        }
    }
}
