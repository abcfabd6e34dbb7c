package dev.wok.api;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.function.ObjIntConsumer;
import java.util.regex.Matcher;
import org.jspecify.annotations.Nullable;

/// Tells thoughts, text and calls of tools apart in an answer that comes in pieces. What may yet turn
/// out to be part of a tag is held back until that is decided, so that however the pieces are cut, what
/// comes out is the same text.
///
/// Lines that are empty around thoughts and before calls are left out, as is white space among calls.
/// What looks like a call and is none, or calls a tool that there is not, is text.
final class ReplyReader {
    /// Who hears what an answer is made of.
    interface Sink {
        /// @param at where it stands in the answer
        void thought(String text, int at);

        /// @param at where it stands in the answer
        void text(String text, int at);

        /// A call begins.
        void call(String tool);

        /// More of the arguments of the call that began last.
        void arguments(String json);
    }

    private enum State {
        START,
        THOUGHT,
        TEXT,
        CALL,
        ARGUMENTS,
        TAIL
    }

    private final Optional<Dialect.Thoughts> thoughts;
    private final @Nullable CallFormat calls;
    private final Set<String> tools;
    private final Sink sink;
    private final StringBuilder held = new StringBuilder();

    /// Where in the answer what is held begins.
    private int offset;

    private State state;

    /// Whether white space that comes next is left out: all of it among calls, line ends after a tag.
    private boolean leaveOutLines;

    private boolean leaveOutSpace;

    /// Whether a call may come that nothing opens.
    private boolean fresh;

    /// Where in what is held that stands which may open a call.
    private int opening;

    private JsonScanner scanner = new JsonScanner();

    /// What of a call in an unusual order was looked at, or -1.
    private int scanned = -1;
    private boolean ended;

    /// @param thinking whether the answer begins within thoughts
    /// @param tools names of those that may be called; empty for none
    ReplyReader(Dialect dialect, boolean thinking, Set<String> tools, Sink sink) {
        thoughts = dialect.thoughts();
        calls = tools.isEmpty() ? null : dialect.calls().orElse(null);
        this.tools = tools;
        this.sink = sink;
        fresh = calls != null && calls.bare();
        leaveOutLines = thinking;
        state = thinking ? State.THOUGHT : thoughts.isPresent() ? State.START : State.TEXT;
    }

    /// @param piece what comes next
    void append(String piece) {
        held.append(piece);
        advance();
    }

    /// Decides on what was held back, where nothing more comes.
    void finish() {
        ended = true;
        advance();
    }

    /// @return whether a call has begun whose arguments are not complete
    boolean isAmidCall() {
        return state == State.ARGUMENTS;
    }

    private void advance() {
        boolean more = true;
        while (more && (ended || !held.isEmpty())) {
            more = switch (state) {
                case START -> start();
                case THOUGHT -> thought();
                case TEXT -> text();
                case CALL -> call();
                case ARGUMENTS -> arguments();
                case TAIL -> tail();
            };
        }
    }

    private boolean become(State next) {
        state = next;
        return true;
    }

    private void drop(int length) {
        held.delete(0, length);
        offset += length;
    }

    /// @return how much white space comes first
    private int spaces() {
        int to = 0;
        while (to < held.length() && Character.isWhitespace(held.charAt(to))) {
            to++;
        }
        return to;
    }

    /// @return how many line ends come first
    private int lines() {
        int to = 0;
        while (to < held.length() && isLineEnd(held.charAt(to))) {
            to++;
        }
        return to;
    }

    /// @return where the line ends begin that stand before a place
    private int linesBefore(int to) {
        int from = to;
        while (from > 0 && isLineEnd(held.charAt(from - 1))) {
            from--;
        }
        return from;
    }

    private static boolean isLineEnd(char c) {
        return c == '\n' || c == '\r';
    }

    private boolean startsWith(int at, String text) {
        return at + text.length() <= held.length()
                && held.substring(at, at + text.length()).equals(text);
    }

    /// @return whether the text from there on may become another
    private boolean mayBecome(int at, String text) {
        return !ended && text.startsWith(held.substring(at));
    }

    private boolean start() {
        String open = thoughts.orElseThrow().open();
        int at = spaces();
        if (startsWith(at, open)) {
            drop(at + open.length());
            leaveOutLines = true;
            return become(State.THOUGHT);
        }
        return !mayBecome(at, open) && become(State.TEXT);
    }

    private boolean thought() {
        leaveOut();
        String close = thoughts.orElseThrow().close();
        int at = held.indexOf(close);
        if (at < 0) {
            int decided = ended ? held.length() : Needles.firstOpen(held, List.of(close));
            give(linesBefore(decided), sink::thought);
            return false;
        }
        int said = linesBefore(at);
        give(said, sink::thought);
        drop(at - said + close.length());
        leaveOutLines = true;
        return become(State.TEXT);
    }

    private boolean text() {
        leaveOut();
        if (calls == null) {
            give(held.length(), sink::text);
            return false;
        }
        if (fresh && mayBeBare()) {
            opening = 0;
            return held.length() > spaces() && become(State.CALL);
        }
        int at = Needles.first(held, calls.opens(), 0);
        int decided = ended ? held.length() : Needles.firstOpen(held, calls.opens());
        if (at < held.length() && at <= decided) {
            int said = linesBefore(at);
            give(said, sink::text);
            opening = at - said;
            return become(State.CALL);
        }
        give(ended ? decided : linesBefore(decided), sink::text);
        return false;
    }

    /// @return whether a call that nothing opens stands here, or may come
    private boolean mayBeBare() {
        int at = spaces();
        fresh = at < held.length() ? held.charAt(at) == '{' : !ended;
        return fresh;
    }

    private boolean call() {
        CallFormat format = Objects.requireNonNull(calls);
        Matcher head = format.head().matcher(held).region(opening, held.length());
        if (head.lookingAt()) {
            String name = CallFormat.name(head);
            return tools.contains(name) ? begin(name, head.end()) : noCall();
        }
        if (head.hitEnd() && !ended) {
            return false;
        }
        if (format.object().isPresent()) {
            Matcher object = format.object().get().matcher(held).region(opening, held.length());
            if (object.lookingAt()) {
                return whole(object.end());
            }
            if (object.hitEnd() && !ended) {
                return false;
            }
        }
        return noCall();
    }

    private boolean begin(String name, int length) {
        drop(length);
        sink.call(name);
        scanner = new JsonScanner();
        return become(State.ARGUMENTS);
    }

    /// Reads a call whose members are not in the usual order, once it is complete.
    private boolean whole(int from) {
        if (scanned < 0) {
            scanned = from;
            scanner = new JsonScanner();
        }
        int end = scanner.scan(held, scanned);
        scanned = held.length();
        if (end < 0) {
            return ended && noCall();
        }
        Optional<CallFormat.Read> call =
                CallFormat.read(held.substring(from, end)).filter(read -> tools.contains(read.name()));
        if (call.isEmpty()) {
            return noCall();
        }
        scanned = -1;
        drop(end);
        sink.call(call.get().name());
        sink.arguments(call.get().arguments());
        return become(State.TAIL);
    }

    /// Takes what opened a call for text.
    private boolean noCall() {
        scanned = -1;
        fresh = false;
        int length =
                Needles.at(held, Objects.requireNonNull(calls).opens(), opening).length();
        give(opening + length, sink::text);
        return become(State.TEXT);
    }

    private boolean arguments() {
        int end = scanner.scan(held, 0);
        String json = held.substring(0, end < 0 ? held.length() : end);
        drop(json.length());
        if (!json.isEmpty()) {
            sink.arguments(json);
        }
        return end >= 0 && become(State.TAIL);
    }

    private boolean tail() {
        CallFormat format = Objects.requireNonNull(calls);
        int at = spaces();
        for (String close : format.closes()) {
            if (startsWith(at, close)) {
                drop(at + close.length());
                return true;
            }
        }
        if (format.closes().stream().anyMatch(close -> mayBecome(at, close))) {
            return false;
        }
        leaveOutSpace = true;
        fresh = format.bare();
        return become(State.TEXT);
    }

    private void leaveOut() {
        drop(leaveOutSpace ? spaces() : leaveOutLines ? lines() : 0);
        if (!held.isEmpty()) {
            leaveOutSpace = false;
            leaveOutLines = false;
        }
    }

    private void give(int length, ObjIntConsumer<String> to) {
        if (length > 0) {
            String text = held.substring(0, length);
            int at = offset;
            drop(length);
            to.accept(text, at);
        }
    }
}
