package dev.wok.kernel.x86;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import dev.wok.emit.X86;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.List;
import java.util.function.Consumer;

/// The processor that tests of emitted code run on.
final class Machine {
    static final HostDevice DEVICE = Device.host(1);

    private static final List<Isa> ISAS = Cpu.isX86() ? Cpu.ask(DEVICE).isas() : List.of();

    private Machine() {}

    /// Skips the calling test where the processor does not run a set of instructions.
    static void assume(Isa isa) {
        assumeTrue(ISAS.contains(isa), "this processor does not run " + isa.text());
    }

    /// @param code a function; the end is written here
    static Program load(Consumer<X86> code) {
        X86 x = new X86();
        code.accept(x);
        x.vzeroupper();
        x.ret();
        return DEVICE.load(x.bytes());
    }

    /// Runs code with the addresses of copies of up to five inputs.
    ///
    /// @param result which of the inputs to return
    /// @return that copy as the code left it
    static byte[] run(Consumer<X86> code, int result, byte[]... inputs) {
        long[] addresses = new long[6];
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment[] copies = new MemorySegment[inputs.length];
            for (int i = 0; i < inputs.length; i++) {
                copies[i] = arena.allocate(inputs[i].length, 64).copyFrom(MemorySegment.ofArray(inputs[i]));
                addresses[i] = copies[i].address();
            }
            load(code).call(addresses[0], addresses[1], addresses[2], addresses[3], addresses[4], addresses[5]);
            return copies[result].toArray(java.lang.foreign.ValueLayout.JAVA_BYTE);
        }
    }
}
