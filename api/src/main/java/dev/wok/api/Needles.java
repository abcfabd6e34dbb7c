package dev.wok.api;

import java.util.List;

/// Texts that are looked for in a text of which more may come.
final class Needles {
    private Needles() {}

    /// @return where the first of them stands, or the end of the text
    static int first(StringBuilder text, List<String> needles, int from) {
        int first = text.length();
        for (String needle : needles) {
            int at = text.indexOf(needle, from);
            first = at < 0 ? first : Math.min(first, at);
        }
        return first;
    }

    /// @return where the longest end of the text begins that may become one of them, or the end of the
    ///     text
    static int firstOpen(StringBuilder text, List<String> needles) {
        int first = text.length();
        for (String needle : needles) {
            for (int at = Math.max(0, text.length() - needle.length() + 1); at < first; at++) {
                if (needle.startsWith(text.substring(at))) {
                    first = at;
                }
            }
        }
        return first;
    }

    /// @return the needle that stands there, the shortest where there are more; or no text
    static String at(StringBuilder text, List<String> needles, int at) {
        String found = "";
        for (String needle : needles) {
            if ((found.isEmpty() || needle.length() < found.length()) && text.indexOf(needle, at) == at) {
                found = needle;
            }
        }
        return found;
    }
}
