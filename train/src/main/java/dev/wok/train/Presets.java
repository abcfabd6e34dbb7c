package dev.wok.train;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.snakeyaml.engine.v2.api.Load;
import org.snakeyaml.engine.v2.api.LoadSettings;

/// The presets: complete lists of settings in YAML, one file each, which say why a value is what it is.
final class Presets {
    static final List<String> NAMES = List.of("nano", "mini", "small");

    private Presets() {}

    /// @return the preset's values by key, as a person writes them
    static SequencedMap<String, String> load(String name) {
        if (!NAMES.contains(name)) {
            throw new BadInput("there is no preset %s; there are %s.".formatted(name, String.join(", ", NAMES)));
        }
        try (InputStream stream = Presets.class.getResourceAsStream(name + ".yaml")) {
            if (stream == null) {
                throw new IllegalStateException("preset %s is missing from the module".formatted(name));
            }
            SequencedMap<String, String> values = new LinkedHashMap<>();
            Object root =
                    new Load(LoadSettings.builder().setAllowDuplicateKeys(false).build()).loadFromInputStream(stream);
            ((Map<?, ?>) root).forEach((key, value) -> values.put(String.valueOf(key), SettingKeys.text(value)));
            return values;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
