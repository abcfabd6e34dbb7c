package dev.wok.generate.json;

import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The strings that schemas allow, each kind computed once.
final class Strings {
    private final Map<String, Chars> patterns = new HashMap<>();
    private final Map<Text, Optional<Chars>> known = new HashMap<>();
    private final Map<Text, Shape> shapes = new HashMap<>();
    private final Budget budget;

    Strings(Budget budget) {
        this.budget = budget;
    }

    /// @return whether a string is allowed
    boolean allow(String place, Text text, String value) {
        int length = value.codePointCount(0, value.length());
        if (length < text.min() || length > text.max()) {
            return false;
        }
        Text free = new Text(0, StringFrame.MANY, text.patterns(), text.formats());
        if (chars(place, free).map(chars -> chars.contains(value)).orElse(true)) {
            return true;
        }
        requireExact(place, text);
        return false;
    }

    private static void requireExact(String place, Text text) {
        for (String format : text.formats()) {
            if (!Formats.isExact(format)) {
                throw new BadInput(
                        "%s has the format '%s', of which no usual text satisfies the rest.".formatted(place, format));
            }
        }
    }

    /// @return the shape, or nothing where no string is allowed
    Optional<Shape> shape(String place, Text text) {
        if (text.min() > text.max()) {
            return Optional.empty();
        }
        Optional<Chars> chars = chars(place, text);
        if (chars.isEmpty()) {
            return Optional.of(new StringShape(text.min(), text.max()));
        }
        if (chars.get().isEmpty()) {
            requireExact(place, text);
            return Optional.empty();
        }
        try {
            return Optional.of(
                    shapes.computeIfAbsent(text, _ -> new ScalarShape(budget.spend(CharsText.of(chars.get())))));
        } catch (Excess e) {
            throw tooLarge(place, text, e);
        }
    }

    /// @return nothing where only the length matters
    private Optional<Chars> chars(String place, Text text) {
        Optional<Chars> found = known.get(text);
        if (found == null) {
            try {
                found = compute(place, text);
            } catch (Excess e) {
                throw tooLarge(place, text, e);
            }
            known.put(text, found);
        }
        return found;
    }

    private Optional<Chars> compute(String place, Text text) {
        List<Chars> parts = new ArrayList<>();
        for (String format : text.formats()) {
            parts.add(pattern(place, Formats.pattern(format)));
        }
        for (String pattern : text.patterns()) {
            parts.add(pattern(place, pattern));
        }
        if (parts.isEmpty()) {
            return Optional.empty();
        }
        Chars all = parts.getFirst();
        for (Chars part : parts.subList(1, parts.size())) {
            all = budget.spend(all.and(part));
        }
        return Optional.of(budget.spend(all.ofLength(text.min(), text.max())));
    }

    private Chars pattern(String place, String pattern) {
        Chars found = patterns.get(pattern);
        if (found == null) {
            found = budget.spend(Chars.of(read(place, pattern)));
            patterns.put(pattern, found);
        }
        return found;
    }

    /// @throws BadInput where it is malformed or not supported
    static Pattern read(String place, String pattern) {
        try {
            return PatternReader.read(pattern);
        } catch (PatternReader.Refused e) {
            throw new BadInput("%s has the pattern '%s' with %s, which is not supported."
                    .formatted(place, pattern, e.getMessage()));
        }
    }

    private static BadInput tooLarge(String place, Text text, Excess cause) {
        String rules = text.patterns().isEmpty()
                ? "the format " + String.join(", ", text.formats())
                : "the pattern '%s'".formatted(String.join("', '", text.patterns()));
        return new BadInput(
                "%s has %s, which is too large together with its lengths; expected simpler patterns or smaller counts."
                        .formatted(place, rules),
                cause);
    }
}
