package dev.wok.generate.json;

import java.nio.charset.StandardCharsets;
import java.util.Collection;

/// Given texts as an automaton.
final class Literals {
    private Literals() {}

    /// @throws Excess where they are too long together
    static Dfa of(Collection<String> texts) {
        Dfa.Builder builder = new Dfa.Builder();
        int start = builder.state();
        for (String text : texts) {
            int at = start;
            for (byte b : text.getBytes(StandardCharsets.UTF_8)) {
                int next = builder.step(at, b & 0xFF);
                if (next < 0) {
                    next = builder.state();
                    builder.step(at, b & 0xFF, next);
                }
                at = next;
            }
            builder.accept(at);
        }
        return builder.build(false);
    }
}
