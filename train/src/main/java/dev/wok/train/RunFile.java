package dev.wok.train;

import dev.wok.fabric.Shape;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// What a run is, as run.json keeps it: enough to resume without any option.
///
/// @param preset its name
/// @param settings all of them; those of a run that was started leave nothing to the machine
/// @param data files and folders of text; empty for the sources of a JDK
/// @param init a model folder to start from, or null
record RunFile(
        String preset,
        Settings settings,
        List<Path> data,
        @Nullable Path init) {

    /// @param corpus lines for people about what was read; empty before it was
    /// @param group the ranks that make the run, or null before they are together
    void write(Path file, List<String> corpus, @Nullable Shape group) {
        Map<String, Object> root = new LinkedHashMap<>();
        root.put("name", preset);
        root.put("data", data.stream().map(Path::toString).toList());
        root.put("init", init == null ? null : init.toString());
        root.put("settings", settings.values());
        root.put("corpus", corpus);
        if (group != null) {
            root.put("ranks", group.size());
            root.put("machines", Arrays.stream(group.machines()).distinct().count());
        }
        Durable.write(file, Logs.JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(root));
    }

    /// @throws BadInput where there is none or it is not whole
    static RunFile read(Path file) {
        try {
            JsonNode root = Logs.JSON.readTree(Files.readAllBytes(file));
            Map<String, String> values = SettingKeys.texts(root.required("settings"));
            // Earlier versions knew no other device, no parts, no timeline, no overlap, no plans, no speeds, no payload
            // and no pipeline.
            values.putIfAbsent("device", "cpu");
            values.putIfAbsent("gradient_parts", "1");
            values.putIfAbsent("trace_steps", "0");
            values.putIfAbsent("overlap", SettingKeys.AUTO);
            values.putIfAbsent("expert_replicas", "0");
            values.putIfAbsent("replan_every", "50");
            values.putIfAbsent("measured_speeds", "false");
            values.putIfAbsent("exchange_payload", "f32");
            values.putIfAbsent("pipeline_ranks", "1");
            List<Path> data = new ArrayList<>();
            if (!root.required("data").isArray()) {
                throw new BadInput("data is %s, expected a list of paths".formatted(root.path("data")));
            }
            root.path("data").forEach(path -> data.add(Path.of(path.asString())));
            JsonNode init = root.required("init");
            return new RunFile(
                    root.required("name").asString(),
                    Settings.of(values),
                    data,
                    init.isNull() ? null : Path.of(init.asString()));
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        } catch (JacksonException e) {
            throw new BadInput("%s is not a run's file: %s.".formatted(file, e.getOriginalMessage()), e);
        } catch (InvalidPathException | BadInput e) {
            throw new BadInput("%s is not a run's file: %s".formatted(file, e.getMessage()), e);
        }
    }

    /// This run as it goes on with other options: those that change no number may differ.
    ///
    /// @param options settings by key, as a person writes them
    /// @param otherData given sources; empty for none given
    /// @param otherInit given model, or null for none given
    /// @throws BadInput naming the first contradiction
    RunFile resumedWith(
            @Nullable String otherPreset, Map<String, String> options, List<Path> otherData, @Nullable Path otherInit) {
        if (otherPreset != null && !otherPreset.equals(preset)) {
            throw SettingKeys.contradiction("--preset", preset, otherPreset);
        }
        if (!otherData.isEmpty() && !otherData.equals(data)) {
            throw SettingKeys.contradiction("--data", data, otherData);
        }
        if (otherInit != null && !otherInit.equals(init)) {
            throw SettingKeys.contradiction("--init", String.valueOf(init), otherInit);
        }
        return new RunFile(preset, Settings.of(Settings.KEYS.resumed(settings.values(), options)), data, init);
    }

    /// @return a checksum of all that decides about the numbers of the run
    String fingerprint() {
        return settings.fingerprint();
    }
}
