package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Hands programs more arguments than registers hold: a block of memory for each worker, whose address comes in `rdi`.
/// Code reads it by [Lanes#argument] and may write its results there.
final class Arguments {
    private static final int BYTES = 256;

    private final MemorySegment blocks;

    Arguments(HostDevice host) {
        blocks = host.scratch((long) host.workers().count() * BYTES);
    }

    /// Calls a program with integers and addresses as they are, floats as [#bits] gives them.
    ///
    /// @param worker the calling one
    void call(Program program, int worker, long... values) {
        MemorySegment block = blocks.asSlice((long) worker * BYTES, BYTES);
        for (int i = 0; i < values.length; i++) {
            block.set(ValueLayout.JAVA_LONG, (long) i * Long.BYTES, values[i]);
        }
        program.call(block.address());
    }

    /// @return the block of a worker
    long address(int worker) {
        return blocks.address() + (long) worker * BYTES;
    }

    /// @return the `i`-th float of a worker's block, as code left it
    float result(int worker, int i) {
        return blocks.get(ValueLayout.JAVA_FLOAT, (long) worker * BYTES + (long) i * Float.BYTES);
    }

    static long bits(float value) {
        return Float.floatToRawIntBits(value);
    }
}
