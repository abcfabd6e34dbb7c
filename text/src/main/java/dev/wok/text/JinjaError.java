package dev.wok.text;

/// What is wrong with a template, or with what it is rendered with.
final class JinjaError extends RuntimeException {
    private static final long serialVersionUID = 1L;

    JinjaError(String message) {
        super(message);
    }

    JinjaError(String message, int line) {
        super("%s (line %d)".formatted(message, line));
    }

    JinjaError(String message, int line, Throwable cause) {
        super("%s (line %d)".formatted(message, line), cause);
    }
}
