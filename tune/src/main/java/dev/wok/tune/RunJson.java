package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.train.Durable;
import dev.wok.train.Logs;
import dev.wok.train.SettingKeys;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// What a run is, as run.json keeps it: enough to resume without any option.
///
/// @param settings all of them; those of a run that was started leave nothing to the machine
/// @param model the folder of the model that the run began with
/// @param inputs what else it reads, by name: paths or addresses
record RunJson<K extends Record>(Settings<K> settings, Path model, Map<String, List<String>> inputs) {
    void write(Path file) {
        SequencedMap<String, Object> root = new LinkedHashMap<>();
        root.put("name", settings.kind().text());
        root.put("model", model.toString());
        root.put("inputs", inputs);
        root.put("settings", settings.values());
        Durable.write(file, Logs.JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(root));
    }

    /// @param keys the settings of the method that is expected
    /// @throws BadInput where there is none, it is not whole, or is another method's
    static <K extends Record> RunJson<K> read(Path file, Class<K> keys) {
        try {
            JsonNode root = Logs.JSON.readTree(Files.readAllBytes(file));
            String name = root.required("name").asString();
            Settings.Kind kind = Settings.Kind.of(keys);
            if (!name.equals(kind.text())) {
                throw new BadInput("it is a run of %s; go on with it as that".formatted(name));
            }
            SequencedMap<String, List<String>> inputs = new LinkedHashMap<>();
            for (Map.Entry<String, JsonNode> entry : root.required("inputs").properties()) {
                List<String> paths = new ArrayList<>();
                entry.getValue().forEach(path -> paths.add(path.asString()));
                inputs.put(entry.getKey(), paths);
            }
            return new RunJson<>(
                    Settings.read(keys, SettingKeys.texts(root.required("settings"))),
                    Path.of(root.required("model").asString()),
                    inputs);
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        } catch (JacksonException e) {
            throw new BadInput("%s is not a run's file: %s.".formatted(file, e.getOriginalMessage()), e);
        } catch (InvalidPathException | BadInput e) {
            throw new BadInput("%s is not a run's file: %s".formatted(file, e.getMessage()), e);
        }
    }

    /// @throws BadInput where an option would change the run's numbers
    RunJson<K> with(Map<String, String> options) {
        return new RunJson<>(settings.resumed(options), model, inputs);
    }
}
