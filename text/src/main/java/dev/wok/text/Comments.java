package dev.wok.text;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// The comments that open a document up to the last that mentions a copyright or licence. Block comments (`/* */`,
/// `<!-- -->`) and runs of line comments (`//`, `#`, `--`, `;`, `%`) count, at most [#MOST] of them.
///
/// @param keys a hash of each comment's letters in lower case, so that years, spaces and line breaks do not matter
/// @param legal whether each mentions a copyright or licence
/// @param ends where each ends, the white space after it included; the last is where the body begins
record Comments(long[] keys, boolean[] legal, int[] ends) {
    static final int MOST = 4;
    private static final int LONGEST = 1 << 16;

    /// @return the comments at the beginning of the bytes; null where none of them is legal
    static @Nullable Comments read(byte[] bytes, int from, int to) {
        int[] ends = new int[MOST];
        long[] keys = new long[MOST];
        boolean[] legal = new boolean[MOST];
        int n = 0;
        int used = 0;
        int at = skipSpace(bytes, from, to);
        while (n < MOST) {
            int end = end(bytes, at, to);
            if (end < 0 || end - at > LONGEST) {
                break;
            }
            keys[n] = key(bytes, at, end);
            legal[n] = isLegal(bytes, at, end);
            at = skipSpace(bytes, end, to);
            ends[n++] = at;
            used = legal[n - 1] ? n : used;
        }
        return used == 0
                ? null
                : new Comments(Arrays.copyOf(keys, used), Arrays.copyOf(legal, used), Arrays.copyOf(ends, used));
    }

    /// @return where the body begins
    int bodyStart() {
        return ends[ends.length - 1];
    }

    /// @return the same with offsets counted from `begin`
    Comments from(int begin) {
        int[] shifted = ends.clone();
        for (int i = 0; i < shifted.length; i++) {
            shifted[i] -= begin;
        }
        return new Comments(keys, legal, shifted);
    }

    private static int skipSpace(byte[] bytes, int from, int to) {
        int at = from;
        while (at < to && bytes[at] >= 0 && bytes[at] <= ' ') {
            at++;
        }
        // The indentation of the first line stays with it.
        while (at < to && at > from && bytes[at - 1] != '\n') {
            at--;
        }
        return at;
    }

    /// @return the end of the comment that begins at `at` after blanks, -1 where there is none
    private static int end(byte[] bytes, int at, int to) {
        int begin = at;
        while (begin < to && (bytes[begin] == ' ' || bytes[begin] == '\t')) {
            begin++;
        }
        if (startsWith(bytes, begin, to, "/*")) {
            return after(bytes, begin + 2, to, "*/");
        }
        if (startsWith(bytes, begin, to, "<!--")) {
            return after(bytes, begin + 4, to, "-->");
        }
        for (String mark : new String[] {"//", "#", "--", ";", "%"}) {
            int end = endOfLines(bytes, begin, to, mark);
            if (end > begin) {
                return end;
            }
        }
        return -1;
    }

    private static int endOfLines(byte[] bytes, int begin, int to, String mark) {
        int at = begin;
        int end = begin;
        while (isLineComment(bytes, at, to, mark)) {
            while (at < to && bytes[at] != '\n') {
                at++;
            }
            end = at = Math.min(at + 1, to);
            while (at < to && (bytes[at] == ' ' || bytes[at] == '\t')) {
                at++;
            }
        }
        return end;
    }

    /// `#include`, `#!` and `--option` are none: what follows the mark is space, a letterless rule, or the line's
    /// end.
    private static boolean isLineComment(byte[] bytes, int at, int to, String mark) {
        if (!startsWith(bytes, at, to, mark)) {
            return false;
        }
        int next = at + mark.length();
        return mark.equals("//")
                || next == to
                || bytes[next] >= 0 && bytes[next] <= ' '
                || bytes[next] == mark.charAt(0)
                || bytes[next] == '=';
    }

    private static boolean startsWith(byte[] bytes, int at, int to, String text) {
        if (at + text.length() > to) {
            return false;
        }
        for (int i = 0; i < text.length(); i++) {
            if (bytes[at + i] != text.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    private static int after(byte[] bytes, int from, int to, String text) {
        for (int i = from; i + text.length() <= to; i++) {
            if (startsWith(bytes, i, to, text)) {
                return i + text.length();
            }
        }
        return -1;
    }

    private static long key(byte[] bytes, int from, int to) {
        long hash = 0;
        for (int i = from; i < to; i++) {
            int lower = bytes[i] | 0x20;
            if (bytes[i] < 0 || lower >= 'a' && lower <= 'z') {
                hash = (hash ^ lower & 0xFF) * 0x100000001B3L;
                hash ^= hash >>> 29;
            }
        }
        return Mix.of(hash);
    }

    private static boolean isLegal(byte[] bytes, int from, int to) {
        String text = new String(bytes, from, to - from, StandardCharsets.ISO_8859_1).toLowerCase(Locale.ROOT);
        return text.contains("copyright") || text.contains("licence") || text.contains("license");
    }
}
