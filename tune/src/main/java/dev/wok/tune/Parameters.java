package dev.wok.tune;

import dev.wok.notice.BadInput;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.Set;

/// What follows a name, as in `countdown:numbers=3,max=20`.
///
/// @param name of what has the parameters, for messages
/// @param values by key
record Parameters(String name, SequencedMap<String, String> values) {
    /// @param text such as `numbers=3,max=20`; blank where there are none
    static Parameters of(String name, String text) {
        SequencedMap<String, String> values = new LinkedHashMap<>();
        for (String part : text.isBlank() ? new String[0] : text.split(",", -1)) {
            int sign = part.indexOf('=');
            if (sign <= 0 || sign == part.length() - 1) {
                throw new BadInput("%s: '%s' is no parameter; expected key=value, several with commas between."
                        .formatted(name, part.strip()));
            }
            String key = part.substring(0, sign).strip();
            if (values.put(key, part.substring(sign + 1).strip()) != null) {
                throw new BadInput("%s: %s is given twice; give it once.".formatted(name, key));
            }
        }
        return new Parameters(name, values);
    }

    /// @throws BadInput where there are others
    Parameters only(String... keys) {
        for (String key : values.keySet()) {
            if (!Set.of(keys).contains(key)) {
                throw new BadInput("%s has no parameter %s; %s."
                        .formatted(name, key, keys.length == 0 ? "it has none" : "it has " + String.join(", ", keys)));
            }
        }
        return this;
    }

    int whole(String key, int otherwise, int low, int high) {
        String value = values.get(key);
        if (value == null) {
            return otherwise;
        }
        try {
            int number = Integer.parseInt(value);
            if (number >= low && number <= high) {
                return number;
            }
        } catch (NumberFormatException _) {
            // refused below
        }
        throw new BadInput(
                "%s: %s is %s, expected a whole number from %d to %d.".formatted(name, key, value, low, high));
    }

    double number(String key, double otherwise, double low, double high) {
        String value = values.get(key);
        if (value == null) {
            return otherwise;
        }
        try {
            double number = Double.parseDouble(value);
            if (number >= low && number <= high) {
                return number;
            }
        } catch (NumberFormatException _) {
            // refused below
        }
        throw new BadInput("%s: %s is %s, expected a number from %s to %s.".formatted(name, key, value, low, high));
    }

    String choice(String key, String otherwise, List<String> choices) {
        String value = values.getOrDefault(key, otherwise);
        if (!choices.contains(value)) {
            throw new BadInput(
                    "%s: %s is %s, expected one of %s.".formatted(name, key, value, String.join(", ", choices)));
        }
        return value;
    }

    String text(String key, String otherwise) {
        return values.getOrDefault(key, otherwise);
    }

    boolean has(String key) {
        return values.containsKey(key);
    }
}
