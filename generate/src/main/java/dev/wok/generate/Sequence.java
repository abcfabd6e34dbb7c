package dev.wok.generate;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// A text that is read and goes on: ids and counts, as the [Scheduler] sees it.
final class Sequence {
    /// Who comes first: higher priority, then who came first.
    static final Comparator<Sequence> ORDER =
            Comparator.<Sequence>comparingInt(s -> s.priority).reversed().thenComparingLong(s -> s.number);

    private final long number;
    private final int priority;
    private final int prompt;
    private int[] text;
    private int length;
    private boolean hasDraft;

    @Nullable
    Table table;

    /// @param number of its arrival
    Sequence(long number, int priority, int... prompt) {
        this.number = number;
        this.priority = priority;
        this.prompt = prompt.length;
        text = prompt.clone();
        length = prompt.length;
    }

    long number() {
        return number;
    }

    int priority() {
        return priority;
    }

    /// @return its ids, and behind its length the draft, where it has one
    int[] text() {
        return text;
    }

    int length() {
        return length;
    }

    /// Lengthens the text. A draft is one no longer.
    void add(int id) {
        draft(id);
        length++;
        hasDraft = false;
    }

    /// Notes what may be the next token.
    void draft(int id) {
        if (length == text.length) {
            text = Arrays.copyOf(text, 2 * length);
        }
        text[length] = id;
        hasDraft = true;
    }

    /// @return whether the token after the last is known as a guess
    boolean hasDraft() {
        return hasDraft;
    }

    /// @return whether it has pages
    boolean runs() {
        return table != null;
    }

    Table table() {
        return Objects.requireNonNull(table, "a sequence that waits has no pages");
    }

    /// @return how many of its tokens are in the cache
    int read() {
        return table().tokens();
    }

    int unread() {
        return length - read();
    }

    /// @return whether only its last token is to be read, which it picked itself
    boolean answers() {
        return length > prompt && unread() == 1;
    }
}
