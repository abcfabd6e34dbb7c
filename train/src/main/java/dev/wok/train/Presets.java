package dev.wok.train;

import dev.wok.notice.BadInput;
import java.util.List;
import java.util.SequencedMap;

/// The presets: complete lists of settings in YAML, one file each, which say why a value is what it is.
final class Presets {
    static final List<String> NAMES = List.of("nano", "mini", "small");

    private Presets() {}

    /// @return the preset's values by key, as a person writes them
    static SequencedMap<String, String> load(String name) {
        if (!NAMES.contains(name)) {
            throw new BadInput("there is no preset %s; there are %s.".formatted(name, String.join(", ", NAMES)));
        }
        return SettingKeys.resource(Presets.class.getResourceAsStream(name + ".yaml"), name);
    }
}
