package dev.wok.text;

import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/// Finds added tokens in text: the leftmost first, and of those the longest.
final class AddedTokens {

    /// Takes the parts of a text in order.
    interface Parts {
        /// A part between tokens, not empty.
        void text(char[] text, int from, int to);

        /// A token.
        ///
        /// @param at where it begins
        void token(int id, int at);
    }

    private static final class Node {
        final Map<Character, Node> children = new HashMap<>();

        @Nullable
        AddedToken token;
    }

    private final Node root = new Node();
    private final CharSet firsts;

    /// @param tokens of two with the same content the first is found
    AddedTokens(Collection<AddedToken> tokens) {
        Set<Integer> firsts = new HashSet<>();
        for (AddedToken token : tokens) {
            Node node = root;
            for (char c : token.content().toCharArray()) {
                node = node.children.computeIfAbsent(c, _ -> new Node());
            }
            node.token = node.token == null ? token : node.token;
            firsts.add((int) token.content().charAt(0));
        }
        this.firsts = CharSet.of(firsts);
    }

    boolean isEmpty() {
        return root.children.isEmpty();
    }

    void split(char[] text, int from, int to, Parts parts) {
        int done = from;
        int at = from;
        while (at < to) {
            at = firsts.next(text, at, to);
            AddedToken token = longest(text, at, to);
            if (token == null) {
                at++;
                continue;
            }
            int begin = at;
            int end = at + token.content().length();
            at = end;
            if (token.singleWord() && (touchesWord(text, from, begin, true) || touchesWord(text, end, to, false))) {
                continue;
            }
            if (token.lstrip()) {
                while (begin > done && CharSet.WHITE_SPACE.has(text[begin - 1])) {
                    begin--;
                }
            }
            if (token.rstrip()) {
                while (end < to && CharSet.WHITE_SPACE.has(text[end])) {
                    end++;
                }
            }
            if (done < begin) {
                parts.text(text, done, begin);
            }
            parts.token(token.id(), begin);
            done = end;
        }
        if (done < to) {
            parts.text(text, done, to);
        }
    }

    private @Nullable AddedToken longest(char[] text, int at, int to) {
        AddedToken found = null;
        Node node = root;
        for (int i = at; i < to; i++) {
            node = node.children.get(text[i]);
            if (node == null) {
                break;
            }
            found = node.token == null ? found : node.token;
        }
        return found;
    }

    /// @param atEnd whether to look at the last character of the stretch, otherwise at its first
    private static boolean touchesWord(char[] text, int from, int to, boolean atEnd) {
        if (from == to) {
            return false;
        }
        int c = atEnd ? Character.codePointBefore(text, to, from) : Character.codePointAt(text, from, to);
        return switch (Character.getType(c)) {
            case Character.NON_SPACING_MARK,
                    Character.ENCLOSING_MARK,
                    Character.COMBINING_SPACING_MARK,
                    Character.DECIMAL_DIGIT_NUMBER,
                    Character.CONNECTOR_PUNCTUATION -> true;
            default -> Character.isAlphabetic(c) || c == 0x200C || c == 0x200D;
        };
    }
}
