package dev.wok.api;

/// Finds the end of a JSON object that comes in pieces.
final class JsonScanner {
    private int depth;
    private boolean inString;
    private boolean escaped;

    /// @param from the next character of the object, the first time its brace
    /// @return the place after its last brace, or -1 where it does not end in the text
    int scan(CharSequence text, int from) {
        for (int i = from; i < text.length(); i++) {
            char c = text.charAt(i);
            if (escaped) {
                escaped = false;
            } else if (inString) {
                escaped = c == '\\';
                inString = c != '"';
            } else {
                inString = c == '"';
                depth += c == '{' || c == '[' ? 1 : c == '}' || c == ']' ? -1 : 0;
                if (depth == 0) {
                    return i + 1;
                }
            }
        }
        return -1;
    }
}
