package dev.wok.generate;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// `generation_config.json` of a model folder: how its makers want tokens picked.
final class SamplingFile {
    private static final List<String> FIELDS = List.of("temperature", "top_p", "top_k", "min_p", "repetition_penalty");

    private final JsonNode root;

    private SamplingFile(JsonNode root) {
        this.root = root;
    }

    static Optional<Sampling> read(Path file) {
        if (!Files.isRegularFile(file)) {
            return Optional.empty();
        }
        SamplingFile read = new SamplingFile(tree(file));
        if (FIELDS.stream().noneMatch(read.root::hasNonNull)) {
            return Optional.empty();
        }
        try {
            return Optional.of(read.sampling());
        } catch (BadInput e) {
            throw new BadInput("%s: %s".formatted(file, e.getMessage()), e);
        }
    }

    private static JsonNode tree(Path file) {
        try {
            return JsonMapper.shared().readTree(Files.readAllBytes(file));
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        } catch (JacksonException e) {
            throw BadInput.notJson(file, e);
        }
    }

    private Sampling sampling() {
        return Sampling.atTemperature(number("temperature", 1))
                .withTopP(number("top_p", 1))
                .withTopK((int) Math.max(0, number("top_k", 0)))
                .withMinP(number("min_p", 0))
                .withRepetitionPenalty(number("repetition_penalty", 1));
    }

    private double number(String field, double usual) {
        JsonNode value = root.path(field);
        if (value.isMissingNode() || value.isNull()) {
            return usual;
        }
        if (!value.isNumber()) {
            throw new BadInput("%s is %s, expected a number.".formatted(field, value));
        }
        return value.doubleValue();
    }
}
