package dev.wok.generate.json;

import java.util.Map;
import java.util.Set;

/// The formats of strings, as patterns.
final class Formats {
    private static final String DATE = "(?:"
            // Every year has these days.
            + "[0-9]{4}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])"
            + "|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)"
            // Leap years have one more.
            + "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)";
    private static final String TIME = "(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\\.[0-9]{1,9})?"
            // Not -00:00, which is an unknown offset.
            + "(?:Z|[+](?:0[0-9]|1[0-7]):[0-5][0-9]|-(?:00:(?:0[1-9]|[1-5][0-9])|(?:0[1-9]|1[0-7]):[0-5][0-9]))";
    private static final String LABEL = "[A-Za-z0-9](?:-?[A-Za-z0-9]){0,20}";
    private static final String BYTE = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";

    private static final Map<String, String> PATTERNS = Map.of(
            "date",
            DATE,
            "time",
            TIME,
            "date-time",
            DATE + "T" + TIME,
            "uuid",
            "[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
            "email",
            "[A-Za-z0-9_](?:[.+-]?[A-Za-z0-9_]){0,31}@(?:" + LABEL + "\\.){1,3}[A-Za-z]{2,24}",
            "ipv4",
            BYTE + "(?:\\." + BYTE + "){3}");

    /// Those of which the pattern describes all strings; of the others only the usual ones.
    private static final Set<String> EXACT = Set.of("date", "uuid", "ipv4");

    private Formats() {}

    static boolean isKnown(String format) {
        return PATTERNS.containsKey(format);
    }

    /// @return whether a string that the pattern refuses is never of the format
    static boolean isExact(String format) {
        return EXACT.contains(format);
    }

    static String pattern(String format) {
        return "^(?:" + PATTERNS.get(format) + ")$";
    }
}
