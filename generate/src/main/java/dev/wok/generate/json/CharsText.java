package dev.wok.generate.json;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// From an automaton over code points to one over the bytes of JSON: quotes, UTF-8, and escapes where
/// there is no other way to write a character.
final class CharsText {
    private static final int PER_BYTE = 64;
    private static final int[] LEAST = {0, 0x80, 0x800, 0x10000};

    private final Chars chars;
    private final Dfa.Builder builder = new Dfa.Builder();
    private final int[] states;
    private final List<Integer> todo = new ArrayList<>();
    private final Map<Rest, Integer> rests = new HashMap<>();

    /// Any so many continuation bytes, and then a state.
    private record Rest(int bytes, int state) {}

    private CharsText(Chars chars) {
        this.chars = chars;
        states = new int[chars.size()];
        Arrays.fill(states, -1);
    }

    /// @throws Excess where it becomes too large
    static Dfa of(Chars chars) {
        return new CharsText(chars).build();
    }

    private Dfa build() {
        int start = builder.state();
        int end = builder.accepting();
        builder.step(start, '"', at(Chars.START));
        while (!todo.isEmpty()) {
            int state = todo.removeLast();
            if (chars.accepts(state)) {
                builder.step(states[state], '"', end);
            }
            ascii(state);
            for (int lead = 0xC2; lead <= 0xDF; lead++) {
                lead(state, lead, lead & 0x1F, 1);
            }
            for (int lead = 0xE0; lead <= 0xEF; lead++) {
                lead(state, lead, lead & 0x0F, 2);
            }
            for (int lead = 0xF0; lead <= 0xF4; lead++) {
                lead(state, lead, lead & 0x07, 3);
            }
        }
        return builder.build(true);
    }

    private int at(int state) {
        if (states[state] < 0) {
            states[state] = builder.state();
            todo.add(state);
        }
        return states[state];
    }

    private void ascii(int state) {
        int escape = -1;
        for (int c = 0; c < 0x80; c++) {
            int to = chars.next(state, c);
            Optional<Character> letter = JsonText.escape(c);
            if (to < 0) {
                continue;
            }
            if (c >= ' ' && letter.isEmpty()) {
                builder.step(states[state], c, at(to));
                continue;
            }
            if (escape < 0) {
                escape = builder.state();
                builder.step(states[state], '\\', escape);
            }
            if (letter.isPresent()) {
                builder.step(escape, letter.get(), at(to));
            } else {
                builder.step(path(escape, "u00" + c / 16), Character.forDigit(c % 16, 16), at(to));
            }
        }
    }

    private int path(int from, String bytes) {
        int at = from;
        for (char b : bytes.toCharArray()) {
            int next = builder.step(at, b);
            if (next < 0) {
                next = builder.state();
                builder.step(at, b, next);
            }
            at = next;
        }
        return at;
    }

    private void lead(int state, int lead, int bits, int more) {
        int to = block(state, bits << 6 * more, more, LEAST[more]);
        if (to >= 0) {
            builder.step(states[state], lead, to);
        }
    }

    /// The state before the last bytes of characters.
    ///
    /// @param first the first of 64 to the power of `more` characters
    /// @param least the first character that may be written with so many bytes
    /// @return a negative number where none of them is allowed
    private int block(int state, int first, int more, int least) {
        int last = first + (1 << 6 * more) - 1;
        if (last < least || first > CodePoints.LAST) {
            return -1;
        }
        if (first >= least && last <= CodePoints.LAST && chars.isUniform(state, first, last)) {
            int to = chars.next(state, first);
            return to < 0 ? -1 : rest(more, at(to));
        }
        int block = builder.state();
        for (int i = 0; i < PER_BYTE; i++) {
            int from = first + (i << 6 * (more - 1));
            int to;
            if (more > 1) {
                to = block(state, from, more - 1, least);
            } else {
                int next = from < least ? -1 : chars.next(state, from);
                to = next < 0 ? -1 : at(next);
            }
            if (to >= 0) {
                builder.step(block, 0x80 | i, to);
            }
        }
        return block;
    }

    private int rest(int bytes, int state) {
        if (bytes == 0) {
            return state;
        }
        Integer known = rests.get(new Rest(bytes, state));
        if (known != null) {
            return known;
        }
        int next = rest(bytes - 1, state);
        int rest = builder.state();
        for (int b = 0x80; b < 0xC0; b++) {
            builder.step(rest, b, next);
        }
        rests.put(new Rest(bytes, state), rest);
        return rest;
    }
}
