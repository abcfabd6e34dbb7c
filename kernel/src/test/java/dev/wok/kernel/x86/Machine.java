package dev.wok.kernel.x86;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import dev.wok.emit.x86.X86;
import dev.wok.kernel.x86.emulated.Emulator;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;

/// What tests of emitted code run on.
public enum Machine {
    /// The one at hand, with the instructions that it has.
    PROCESSOR,
    /// Every instruction, in Java.
    EMULATOR;

    static final HostDevice DEVICE = Device.host(1);

    private static final List<Isa> FOUND = Isa.found(DEVICE);

    /// @return the processor where it has a set of instructions
    public static Machine of(Isa isa) {
        return PROCESSOR.runs(isa) ? PROCESSOR : EMULATOR;
    }

    boolean runs(Isa isa) {
        return this == EMULATOR || FOUND.contains(isa);
    }

    /// Skips the calling test where this does not run a set of instructions.
    void assume(Isa isa) {
        assumeTrue(runs(isa), "this processor does not run " + isa.text());
    }

    /// @return what makes code callable until a device is closed
    public Function<byte[], Program> loader(HostDevice device) {
        return this == EMULATOR ? Emulator::load : device::load;
    }

    Programs programs(HostDevice device, Isa isa) {
        return new Programs(device, isa, loader(device));
    }

    /// @param code a function; the end is written here
    Program load(Consumer<X86> code) {
        X86 x = new X86();
        code.accept(x);
        x.vzeroupper();
        x.ret();
        return loader(DEVICE).apply(x.bytes());
    }

    /// Runs code with the addresses of copies of up to six inputs.
    ///
    /// @param result which of the inputs to return
    /// @return that copy as the code left it
    byte[] run(Consumer<X86> code, int result, byte[]... inputs) {
        return run(load(code), inputs)[result];
    }

    /// @return the copies as the program left them
    static byte[][] run(Program program, byte[]... inputs) {
        long[] addresses = new long[6];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment[] copies = new MemorySegment[inputs.length];
            for (int i = 0; i < inputs.length; i++) {
                copies[i] = arena.allocate(inputs[i].length, 64).copyFrom(MemorySegment.ofArray(inputs[i]));
                addresses[i] = copies[i].address();
            }
            program.call(addresses[0], addresses[1], addresses[2], addresses[3], addresses[4], addresses[5]);
            return Arrays.stream(copies)
                    .map(copy -> copy.toArray(ValueLayout.JAVA_BYTE))
                    .toArray(byte[][]::new);
        }
    }
}
