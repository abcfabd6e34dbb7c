package dev.wok.text;

import java.util.Arrays;

/// Finds where in a text the tokens begin that it was encoded into: every token stands for some bytes,
/// and together they are the normalised text.
final class TokenPlaces {
    /// Below this nothing composes with what stands before it.
    private static final int FIRST_BEYOND_ASCII = 0x80;

    private final Tokenizer.Parts parts;
    private final int[] ids;
    private final int[] starts;
    private int next;

    private TokenPlaces(Tokenizer.Parts parts, int[] ids) {
        this.parts = parts;
        this.ids = ids;
        starts = new int[ids.length];
    }

    /// @param ids of the whole text, none put around it
    /// @return for each the character that it begins with or within
    static int[] starts(Tokenizer.Parts parts, int[] ids, char[] text) {
        Tokenizer.replaceLoneSurrogates(text);
        TokenPlaces places = new TokenPlaces(parts, ids);
        parts.raw().split(text, 0, text.length, new AddedTokens.Parts() {
            @Override
            public void text(char[] t, int from, int to) {
                places.stretch(t, from, to);
            }

            @Override
            public void token(int id, int at) {
                places.put(at);
            }
        });
        while (places.next < ids.length) {
            places.put(text.length);
        }
        return places.starts;
    }

    private void put(int start) {
        if (next < ids.length) {
            starts[next++] = start;
        }
    }

    /// A stretch without added tokens of the first kind. Its normal form is made piece by piece, each
    /// from one ASCII character to the next, so that it is known which piece a character of it comes
    /// from.
    private void stretch(char[] text, int from, int to) {
        StringBuilder normal = new StringBuilder();
        int[] origins = new int[to - from + 1];
        int end;
        for (int at = from; at < to; at = end) {
            end = at + 1;
            while (end < to && text[end] >= FIRST_BEYOND_ASCII) {
                end++;
            }
            String piece = new String(text, at, end - at);
            String changed = end - at == 1 ? piece : Tokenizer.normalize(parts.forms(), piece);
            int length = normal.length() + changed.length();
            if (length >= origins.length) {
                origins = Arrays.copyOf(origins, 2 * length);
            }
            for (int i = normal.length(); i < length; i++) {
                origins[i] = changed.equals(piece) ? at + i - normal.length() : at;
            }
            normal.append(changed);
        }
        origins[normal.length()] = to;
        words(normal.toString().toCharArray(), origins);
    }

    private void words(char[] normal, int[] origins) {
        parts.normalized().split(normal, 0, normal.length, new AddedTokens.Parts() {
            @Override
            public void text(char[] t, int from, int to) {
                bytes(t, from, to, origins);
            }

            @Override
            public void token(int id, int at) {
                put(origins[at]);
            }
        });
    }

    private void bytes(char[] text, int from, int to, int[] origins) {
        int at = from;
        long before = 0;
        long token = 0;
        while (next < ids.length) {
            while (at < to && before + width(text[at]) <= token) {
                before += width(text[at++]);
            }
            if (at == to) {
                return;
            }
            byte[] piece = parts.bytes()[ids[next]];
            token += piece == null ? 0 : piece.length;
            put(origins[at]);
        }
    }

    /// @return bytes in UTF-8; of a pair of surrogates each has two
    private static int width(char c) {
        return c < 0x80 ? 1 : c < 0x800 || Character.isSurrogate(c) ? 2 : 3;
    }
}
