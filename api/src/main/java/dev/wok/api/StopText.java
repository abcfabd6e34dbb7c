package dev.wok.api;

import java.util.List;

/// Text that comes in pieces and ends before the first place at which a stop string stands. What may yet
/// turn out to begin one is held back until that is decided.
///
/// The first place is the one that begins first, wherever the pieces are cut: with the stop strings
/// `abc` and `b`, text that ends in `ab` waits for its next character.
final class StopText {
    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private int released;
    private boolean found;

    /// @param stops none of them empty
    StopText(List<String> stops) {
        this.stops = stops;
    }

    /// @param piece what comes next
    /// @return what is decided: text before any stop string
    String append(String piece) {
        held.append(piece);
        int stop = firstStop();
        int open = firstOpen();
        found = stop < held.length() && stop <= open;
        return release(Math.min(stop, open));
    }

    /// @return what was held back, where nothing more comes
    String finish() {
        int stop = firstStop();
        found |= stop < held.length();
        return release(stop);
    }

    private String release(int length) {
        String text = held.substring(0, length);
        held.delete(0, found ? held.length() : length);
        released += length;
        return text;
    }

    /// Where the first stop string begins, or the end of the text.
    private int firstStop() {
        int first = held.length();
        for (String stop : stops) {
            int at = held.indexOf(stop);
            first = at < 0 ? first : Math.min(first, at);
        }
        return first;
    }

    /// Where the longest end of the text begins that may become a stop string, or the end of the text.
    private int firstOpen() {
        int first = held.length();
        for (String stop : stops) {
            for (int at = Math.max(0, held.length() - stop.length() + 1); at < first; at++) {
                if (stop.startsWith(held.substring(at))) {
                    first = at;
                }
            }
        }
        return first;
    }

    /// @return whether the text has ended
    boolean found() {
        return found;
    }

    /// @return characters that were given out
    int released() {
        return released;
    }
}
