package dev.wok.text;

/// Makes what a file says fit for a message.
final class OneLine {
    private static final int MAX_LENGTH = 300;

    private OneLine() {}

    /// @return the text on one line, cut where it is long
    static String of(String text) {
        StringBuilder out = new StringBuilder();
        text.codePoints().limit(MAX_LENGTH).forEach(c -> {
            switch (c) {
                case '\n' -> out.append("\\n");
                case '\r' -> out.append("\\r");
                default -> out.appendCodePoint(Character.isISOControl(c) || c == 0x2028 || c == 0x2029 ? ' ' : c);
            }
        });
        return text.codePointCount(0, text.length()) > MAX_LENGTH ? out + "..." : out.toString();
    }
}
