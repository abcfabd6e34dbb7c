package dev.wok.api;

import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/// Text that comes in pieces and ends before the first place at which a stop string stands. What may
/// yet turn out to begin one is held back until that is decided.
///
/// The first place is the one that begins first, wherever the pieces are cut: with the stop strings
/// `abc` and `b`, text that ends in `ab` waits for its next character.
final class StopText {
    private final List<String> stops;
    private final StringBuilder held = new StringBuilder();
    private int released;
    private @Nullable String found;

    /// @param stops none of them empty
    StopText(List<String> stops) {
        this.stops = stops;
    }

    /// @param piece what comes next
    /// @return what is decided: text before any stop string
    String append(String piece) {
        held.append(piece);
        int stop = Needles.first(held, stops, 0);
        int open = Needles.firstOpen(held, stops);
        find(stop, stop <= open);
        return release(Math.min(stop, open));
    }

    /// @return what was held back, where nothing more comes
    String finish() {
        int stop = Needles.first(held, stops, 0);
        find(stop, true);
        return release(stop);
    }

    private void find(int stop, boolean decided) {
        if (stop < held.length() && decided) {
            found = Needles.at(held, stops, stop);
        }
    }

    private String release(int length) {
        String text = held.substring(0, length);
        held.delete(0, found() ? held.length() : length);
        released += length;
        return text;
    }

    /// @return whether the text has ended
    boolean found() {
        return found != null;
    }

    /// @return the stop string that ended the text
    Optional<String> stop() {
        return Optional.ofNullable(found);
    }

    /// @return characters that were given out
    int released() {
        return released;
    }
}
