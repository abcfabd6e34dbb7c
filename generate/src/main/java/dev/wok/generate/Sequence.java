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

    /// How many of the prompt's tokens are done with: what comes after them is known, or nobody asks for it.
    private int settled;

    @Nullable
    Table table;

    /// @param number of its arrival
    Sequence(long number, int priority, int... prompt) {
        this.number = number;
        this.priority = priority;
        this.prompt = prompt.length;
        text = prompt.clone();
        length = prompt.length;
        settled = prompt.length;
    }

    /// Asks for the logits of the whole prompt, which is read for them, even where it is known.
    ///
    /// @return this
    Sequence scored() {
        settled = 0;
        return this;
    }

    /// Notes that tokens were read, and what was asked for of them is known.
    ///
    /// @param to where they end
    void settle(int to) {
        settled = Math.clamp(to, settled, prompt);
    }

    /// @return of how many of its tokens it is enough that they are in the cache: not of the last, which the next is
    ///     picked after
    int adoptable() {
        return settled < prompt ? settled : length - 1;
    }

    /// @param from a token
    /// @param to behind those that are read from there
    /// @return of how many of them, the last ones, logits are wanted for the sake of the prompt
    int unsettled(int from, int to) {
        return Math.max(0, Math.min(to, prompt) - Math.max(from, settled));
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
