package dev.wok.testkit;

/// What a piece of code throws.
public final class Thrown {
    /// Code that should throw.
    @FunctionalInterface
    public interface Code {
        void run() throws Exception;
    }

    private Thrown() {}

    /// Runs code that must throw exactly this type.
    ///
    /// @return the message
    /// @throws AssertionError where the code returns, throws something else, or throws without a message
    public static String message(Class<? extends Throwable> expected, Code code) {
        Throwable thrown = null;
        try {
            code.run();
        } catch (Throwable t) {
            thrown = t;
        }
        if (thrown == null || thrown.getClass() != expected) {
            throw new AssertionError("expected %s, got %s".formatted(expected.getSimpleName(), thrown), thrown);
        }
        String message = thrown.getMessage();
        if (message == null) {
            throw new AssertionError("%s has no message".formatted(expected.getSimpleName()), thrown);
        }
        return message;
    }
}
