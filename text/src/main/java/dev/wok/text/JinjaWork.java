package dev.wok.text;

import java.util.Collection;
import java.util.Map;

/// How much a rendering may still do. A template is a program that came with a model: one that runs without end or
/// piles up text must not take the machine with it.
///
/// The unit is about what a character of new text costs. The limit is some seconds and some hundred megabytes; a
/// conversation of a million tokens takes a part of it.
final class JinjaWork {
    /// Evaluating one part of an expression, running one statement, comparing two values.
    static final int STEP = 2;

    /// A text or list of its own, however short.
    static final int OBJECT = 16;

    private static final long MOST = 1 << 25;
    private static final ScopedValue<JinjaWork> CURRENT = ScopedValue.newInstance();

    private long left = MOST;

    private JinjaWork() {}

    /// Runs a rendering with a limit of its own.
    static <T> T limited(ScopedValue.CallableOp<T, JinjaError> rendering) {
        return ScopedValue.where(CURRENT, new JinjaWork()).call(rendering);
    }

    /// @throws JinjaError where the rendering has done too much
    static void spend(long units) {
        JinjaWork work = CURRENT.get();
        work.left -= Math.min(units, MOST);
        if (work.left < 0) {
            throw new JinjaError("more to do than %d steps".formatted(MOST));
        }
    }

    /// @return what it takes to copy a text or list
    static int size(Object value) {
        return switch (value) {
            case String s -> s.length();
            case Collection<?> list -> list.size();
            case Map<?, ?> map -> map.size();
            default -> 0;
        };
    }

    /// Looking for some text in another.
    static void search(String in, String part) {
        spend(STEP + in.length() / 8 + (long) in.length() * part.length() / 64);
    }
}
