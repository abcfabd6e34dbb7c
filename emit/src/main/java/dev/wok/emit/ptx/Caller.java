package dev.wok.emit.ptx;

/// The line of Java that asked: the first one on the stack that is not of this package.
final class Caller {
    private static final String HERE = Caller.class.getPackageName() + ".";

    private Caller() {}

    /// @return such as `RmsNormPtx.java:41`
    static String line() {
        return StackWalker.getInstance()
                .walk(frames -> frames.filter(f -> isOutside(f.getClassName()))
                        .map(f -> f.getFileName() + ":" + f.getLineNumber())
                        .findFirst()
                        .orElse("unknown line"));
    }

    private static boolean isOutside(String className) {
        return !className.startsWith(HERE) && !className.startsWith("java.");
    }

    static IllegalArgumentException error(String message) {
        return new IllegalArgumentException(line() + ": " + message);
    }
}
