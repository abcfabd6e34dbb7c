package dev.wok.device.ffm;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/// Calls native code in the C calling convention. All calls have one shape, six words and a word back,
/// since Java spends some ten milliseconds on each shape when the process starts: where registers carry
/// arguments, a function takes no notice of more, nor of the upper half of a word where it expects a
/// shorter number.
public final class NativeCall {
    private static final MethodHandle WORDS = Linker.nativeLinker()
            .downcallHandle(FunctionDescriptor.of(
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG,
                    ValueLayout.JAVA_LONG));

    private NativeCall() {}

    /// @param name of a function of the C library
    public static MemorySegment find(String name) {
        return Linker.nativeLinker().defaultLookup().findOrThrow(name);
    }

    /// @param code where it begins
    /// @return what its result's register holds: anything where there is none, and in the upper half where
    ///     it is shorter
    public static long call(MemorySegment code, long a, long b, long c, long d, long e, long f) {
        try {
            return (long) WORDS.invokeExact(code, a, b, c, d, e, f);
        } catch (Throwable t) {
            throw new IllegalStateException("calling native code failed", t);
        }
    }
}
