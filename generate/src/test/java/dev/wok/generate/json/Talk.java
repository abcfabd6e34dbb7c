package dev.wok.generate.json;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Random;

/// A text from picks at random among the tokens that are allowed.
final class Talk {
    private static final int SOON = 60;
    private static final int LATEST = 2500;
    private static final String ENDING = "\"}]\n: 0el";

    private final Trie trie;
    private final Matcher matcher;
    private final Random random;
    private final ByteArrayOutputStream text = new ByteArrayOutputStream();
    private int tokens;

    Talk(Grammar grammar, Trie trie, Random random) {
        this.trie = trie;
        this.random = random;
        matcher = grammar.matcher(trie);
    }

    /// What is looked at after each token.
    interface Look {
        void at(Matcher matcher, byte[] text);
    }

    /// @return whether the text came to an end
    boolean run(Look look) {
        while (true) {
            look.at(matcher, text.toByteArray());
            if (matcher.mustEnd() || matcher.mayEnd() && (tokens > SOON || random.nextInt(4) == 0)) {
                return true;
            }
            if (tokens == LATEST) {
                return false;
            }
            int id = pick(Bits.of(matcher.allowed()));
            matcher.accept(id);
            text.writeBytes(trie.bytes(id));
            tokens++;
        }
    }

    private int pick(List<Integer> allowed) {
        if (allowed.isEmpty()) {
            throw new AssertionError("nothing may follow " + text);
        }
        if (tokens > SOON && random.nextInt(10) > 0) {
            for (char c : ENDING.toCharArray()) {
                for (int id : allowed) {
                    byte[] bytes = trie.bytes(id);
                    if (bytes.length == 1 && bytes[0] == c) {
                        return id;
                    }
                }
            }
        }
        return allowed.get(random.nextInt(allowed.size()));
    }

    byte[] text() {
        return text.toByteArray();
    }

    @Override
    public String toString() {
        return text.toString(StandardCharsets.UTF_8);
    }
}
