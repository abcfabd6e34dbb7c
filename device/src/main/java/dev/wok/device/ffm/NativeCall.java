package dev.wok.device.ffm;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Collections;

/// Calls native code in the C calling convention. Nearly all calls have one shape, six words and a word
/// back, since Java spends some ten milliseconds on each shape when the process starts: where registers
/// carry arguments, a function takes no notice of more, nor of the upper half of a word where it expects
/// a shorter number. Arguments on the stack lie in a word each, and whoever calls takes them away.
public final class NativeCall {
    /// The arguments that [#callLong] passes.
    public static final int LONG = 12;

    /// The size of the structure that [#callByValue] passes.
    public static final int STRUCTURE_BYTES = 64;

    private static final MethodHandle WORDS = handle(words(6));

    /// Made when a function with more arguments is first called.
    private static final class Twelve {
        static final MethodHandle WORDS = handle(words(LONG));

        private Twelve() {}
    }

    /// Made when a function that takes a structure is first called.
    private static final class Structure {
        static final MethodHandle CALL = handle(
                ValueLayout.JAVA_LONG,
                MemoryLayout.structLayout(MemoryLayout.sequenceLayout(STRUCTURE_BYTES, ValueLayout.JAVA_BYTE)),
                ValueLayout.JAVA_LONG);

        private Structure() {}
    }

    private NativeCall() {}

    private static MethodHandle handle(MemoryLayout... arguments) {
        return Linker.nativeLinker().downcallHandle(FunctionDescriptor.of(ValueLayout.JAVA_LONG, arguments));
    }

    private static MemoryLayout[] words(int count) {
        return Collections.nCopies(count, ValueLayout.JAVA_LONG).toArray(MemoryLayout[]::new);
    }

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

    /// Calls a function of more than six arguments.
    ///
    /// @param words [#LONG] of them
    /// @return as [#call]
    public static long callLong(MemorySegment code, long[] words) {
        try {
            return (long) Twelve.WORDS.invokeExact(
                    code, words[0], words[1], words[2], words[3], words[4], words[5], words[6], words[7], words[8],
                    words[9], words[10], words[11]);
        } catch (Throwable t) {
            throw new IllegalStateException("calling native code failed", t);
        }
    }

    /// Calls a function whose second argument is a structure of bytes, not its address.
    ///
    /// @param structure [#STRUCTURE_BYTES] bytes
    /// @return as [#call]
    public static long callByValue(MemorySegment code, long a, MemorySegment structure, long c) {
        try {
            return (long) Structure.CALL.invokeExact(code, a, structure, c);
        } catch (Throwable t) {
            throw new IllegalStateException("calling native code failed", t);
        }
    }
}
