package dev.wok.bench;

import dev.wok.kernel.Precision;
import java.lang.foreign.MemorySegment;
import java.util.List;

/// Loops that do one thing as fast as the processor does it; a call runs on the caller's thread.
sealed interface Loops permits MachineLoops, VectorLoops {
    /// What a loop multiplies.
    enum Kind {
        /// float32 multiply-adds.
        FLOATS,
        /// Dot products of bf16 pairs, added in float32.
        BF16,
        /// Dot products of four bytes, added in int32.
        BYTES;

        /// @return what products of a precision are made of
        static Kind of(Precision precision) {
            return switch (precision) {
                case F32 -> FLOATS;
                case BF16 -> BF16;
            };
        }
    }

    /// Multiplications and additions in registers, nothing read from memory.
    interface Products {
        /// @return for people: which instruction, how wide
        String text();

        /// @return multiplications and additions of a round
        double operations();

        /// @param sink an accumulator's vector, written
        void run(MemorySegment sink, long rounds);
    }

    /// Memory traffic.
    interface Traffic {
        /// What is run at a time is a multiple of this many bytes of each stream.
        int UNIT = 256;

        /// @param memory the streams, `distance` bytes from one to the next
        /// @param from of each stream, a multiple of [#UNIT] as is `to`
        void run(MemorySegment memory, long distance, long from, long to);
    }

    /// @return whether the processor has this as an instruction
    boolean has(Kind kind);

    /// @throws IllegalArgumentException where [#has] says no
    Products products(Kind kind);

    /// @return the ways to move bytes in such a mix: which is the fastest, only a measurement tells
    List<Traffic> traffic(Mix mix);
}
