package dev.wok.kernel.x86.emulated;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.lang.invoke.MethodHandles;

/// Makes a copy of a loop's class for each function that it runs: the compiler then sees one function in
/// each, and puts it into the loop.
final class Copies {
    private static final byte[] INTS = bytes(EachInt.class);
    private static final byte[] LONGS = bytes(EachLong.class);

    private Copies() {}

    private static byte[] bytes(Class<?> type) {
        try (InputStream in = type.getResourceAsStream(type.getSimpleName() + ".class")) {
            if (in == null) {
                throw new IllegalStateException("no bytes of " + type);
            }
            return in.readAllBytes();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Body of(EachInt.Function function) {
        return of(
                INTS,
                new Class<?>[] {EachInt.Function.class, Lanewise.Operands.class},
                function,
                Lanewise.Operands.NONE);
    }

    static Body of(EachLong.Function function) {
        return of(LONGS, new Class<?>[] {EachLong.Function.class}, function);
    }

    private static Body of(byte[] bytes, Class<?>[] types, Object... arguments) {
        try {
            Class<?> copy =
                    MethodHandles.lookup().defineHiddenClass(bytes, true).lookupClass();
            return (Body) copy.getDeclaredConstructor(types).newInstance(arguments);
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }
}
