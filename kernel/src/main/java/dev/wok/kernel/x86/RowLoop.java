package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.X86;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.Objects;
import java.util.function.Consumer;

/// A loop over the whole vectors of a row at one place and of a row at another.
///
/// @param lanes elements of a vector
/// @param size bytes of an element of the first row
/// @param toSize bytes of an element of the second row
record RowLoop(Program program, int lanes, int size, int toSize) {
    /// Vectors that a turn of the loop covers.
    static final int COPIES = 4;

    /// One vector: of the first row at `rdi`, of the second at `rsi`.
    interface Body {
        /// @param copy which vector of those that are at the pointers
        void write(Lanes lanes, int copy);
    }

    /// Some vectors, from those at the pointers on.
    interface Turn {
        /// @param copies how many: [#COPIES], or one
        void write(Lanes lanes, int copies);
    }

    /// @param before runs once; `rcx` holds what [#run] is given
    static RowLoop load(HostDevice device, Isa isa, int size, int toSize, Consumer<Lanes> before, Body body) {
        return load(device, isa, size, toSize, before, body, Lanes::end);
    }

    /// @param end [Lanes#end], or [Lanes#endUnfenced] where the caller fences
    static RowLoop load(
            HostDevice device, Isa isa, int size, int toSize, Consumer<Lanes> before, Body body, Consumer<Lanes> end) {
        Turn turn = (lanes, copies) -> {
            for (int copy = 0; copy < copies; copy++) {
                body.write(lanes, copy);
            }
        };
        return load(device, isa, size, toSize, before, turn, end);
    }

    /// As the others, written by turns.
    static RowLoop load(
            HostDevice device, Isa isa, int size, int toSize, Consumer<Lanes> before, Turn turn, Consumer<Lanes> end) {
        X86 x = new X86();
        Lanes lanes = new Lanes(x, isa);
        before.accept(lanes);
        lanes.countDown(RDX, COPIES, step -> {
            turn.write(lanes, step);
            x.add(RDI, step * lanes.count() * size);
            x.add(RSI, step * lanes.count() * toSize);
        });
        end.accept(lanes);
        return new RowLoop(device.load(x.bytes()), lanes.count(), size, toSize);
    }

    /// @param count elements of the row, all of which must lie in both places
    /// @return how many of them are done, the rest being less than a vector
    int run(MemorySegment from, long at, int count, MemorySegment to, long toAt, long argument) {
        require(from, at, (long) size * count);
        requireWritable(to, toAt, (long) toSize * count);
        int vectors = count / lanes;
        if (vectors > 0) {
            program.call(from.address() + at, to.address() + toAt, vectors, argument);
            Reference.reachabilityFence(from);
            Reference.reachabilityFence(to);
        }
        return vectors * lanes;
    }

    /// Asks for bfloat16 of a first row, in the turn's part of a [Body], a line for two vectors or four.
    ///
    /// @param bytes how far ahead
    static void ask(Lanes lanes, int copy, int bytes) {
        int at = copy * lanes.count() * Short.BYTES;
        if (at % Ahead.LINE == 0) {
            lanes.x.prefetch(Mem.at(RDI, bytes + at));
        }
    }

    /// Refuses what machine code cannot read.
    static void require(MemorySegment from, long at, long bytes) {
        Objects.checkFromIndexSize(at, bytes, from.byteSize());
        if (!from.isNative()) {
            throw new IllegalArgumentException("machine code works on native memory");
        }
    }

    /// Refuses what machine code cannot write.
    static void requireWritable(MemorySegment to, long at, long bytes) {
        require(to, at, bytes);
        if (to.isReadOnly()) {
            throw new IllegalArgumentException("machine code writes to memory that may be written");
        }
    }

    /// @return whether vectors can be stored there past the caches
    static boolean isAligned(MemorySegment to, long at) {
        return (to.address() + at) % Ahead.LINE == 0;
    }
}
