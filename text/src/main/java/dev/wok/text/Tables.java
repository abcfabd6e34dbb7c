package dev.wok.text;

import java.nio.charset.StandardCharsets;
import java.util.regex.Pattern;

/// Tells documents that a program wrote: they teach a model nothing but their own data. The rules:
///
/// - *Declared*: one of the first lines (4 KB) says `@generated`, or says `generated` and there or on the next line
///   `do not edit` or `do not modify`, or says that this file, class or code is or was generated.
/// - *Numbers*: of the bytes that are no white space, more than [#NUMBERS] are digits, hexadecimal literals or
///   escapes such as `\u00e4`.
/// - *Table*: of the lines that are neither blank nor comments, at least [#LINES], and by their bytes more than
///   [#TABLE], are rows: they begin with one of `{ [ " ' \ | + -` or a digit and end with one of `, + } ] |`.
final class Tables {
    static final double NUMBERS = 0.4;
    static final double TABLE = 0.6;
    static final int LINES = 10;

    private static final int DECLARED_WITHIN = 4096;
    private static final Pattern DECLARED = Pattern.compile(
            "(?-i:@generated)\\b"
                    + "|\\bgenerated\\b[^\\n]*\\n?[^\\n]*\\bdo(?:n't| not) (?:edit|modify)"
                    + "|\\bdo(?:n't| not) (?:edit|modify)[^\\n]*\\n?[^\\n]*\\bgenerated\\b"
                    + "|\\bthis (?:file|class|code) (?:is|was|has been) (?:an? )?"
                    + "(?:auto-?|(?:automatically|mechanically|machine) )?generated\\b",
            Pattern.CASE_INSENSITIVE);

    private Tables() {}

    /// @return whether the document says of itself that it was generated
    static boolean isDeclared(byte[] bytes, int from, int to) {
        String head = new String(bytes, from, Math.min(to - from, DECLARED_WITHIN), StandardCharsets.ISO_8859_1);
        return head.contains("enerated") && DECLARED.matcher(head).find();
    }

    /// @return whether the document is mostly numbers, or a table
    static boolean isTable(byte[] bytes, int from, int to) {
        long black = 0;
        long numbers = 0;
        long counted = 0;
        long inRows = 0;
        int rows = 0;
        for (int at = from; at < to; ) {
            int first = -1;
            int last = -1;
            long lineBlack = 0;
            int i = at;
            while (i < to && bytes[i] != '\n') {
                byte b = bytes[i];
                if (b > ' ' || b < 0) {
                    first = first < 0 ? i : first;
                    last = i;
                    int length = b <= '\\' && (b == '\\' || b >= '0' && b <= '9') ? numberLength(bytes, i, to) : 0;
                    if (length > 0) {
                        numbers += length;
                        lineBlack += length;
                        last = i + length - 1;
                        i += length;
                        continue;
                    }
                    lineBlack++;
                }
                i++;
            }
            black += lineBlack;
            if (first >= 0 && !isComment(bytes, first, last)) {
                counted += lineBlack;
                if (isRow(bytes[first], bytes[last])) {
                    inRows += lineBlack;
                    rows++;
                }
            }
            at = i + 1;
        }
        return numbers > NUMBERS * black || rows >= LINES && inRows > TABLE * counted;
    }

    /// @return the bytes of the digits, the hexadecimal literal or the numeric escape at `at`; 0 where there is
    ///     none
    private static int numberLength(byte[] bytes, int at, int to) {
        int i = at;
        if (bytes[at] == '\\') {
            i++;
            if (i < to && (bytes[i] == 'u' || bytes[i] == 'U' || bytes[i] == 'x')) {
                i++;
            }
            int digits = i;
            while (i < to && i < digits + 4 && isHex(bytes[i])) {
                i++;
            }
            return i == digits || digits == at + 1 && !isDigit(bytes[digits]) ? 0 : i - at;
        }
        boolean hex = bytes[at] == '0' && at + 1 < to && (bytes[at + 1] | 0x20) == 'x';
        i += hex ? 2 : 1;
        while (i < to && (hex ? isHex(bytes[i]) : isDigit(bytes[i]))) {
            i++;
        }
        return i - at;
    }

    private static boolean isComment(byte[] bytes, int first, int last) {
        byte b = bytes[first];
        return b == '*' || b == '#' || b == '/' && last > first && (bytes[first + 1] == '/' || bytes[first + 1] == '*');
    }

    private static boolean isRow(byte first, byte last) {
        boolean begins = switch (first) {
            case '{', '[', '"', '\'', '\\', '|', '+', '-' -> true;
            default -> isDigit(first);
        };
        return begins
                && switch (last) {
                    case ',', '+', '}', ']', '|' -> true;
                    default -> false;
                };
    }

    private static boolean isDigit(byte b) {
        return b >= '0' && b <= '9';
    }

    private static boolean isHex(byte b) {
        return isDigit(b) || (b | 0x20) >= 'a' && (b | 0x20) <= 'f';
    }
}
