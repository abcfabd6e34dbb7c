package dev.wok.kernel.x86.emulated;

import dev.wok.device.Program;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.ref.Reference;
import java.util.HexFormat;
import java.util.List;

/// Runs machine code in Java, on real memory, for tests on a processor that lacks the instructions. It
/// reads bytes and knows nothing of how they were written; what it does not know, it refuses. Code is
/// decoded once. Threads may share a program.
///
/// Beyond what a processor sees to, it requires that code keeps the calling convention: what the caller
/// owns is restored, the upper halves of vector registers are clean at the end, and registers hold
/// nothing of use at the start.
public final class Emulator implements Program {
    private static final int ALIGNMENT = 64;
    private static final ThreadLocal<Core> CORE = ThreadLocal.withInitial(Core::new);

    private final Step[] steps;
    /// The code's constants are read there.
    private final MemorySegment code;

    private Emulator(byte[] bytes) {
        code = Arena.ofAuto().allocate(bytes.length, ALIGNMENT);
        MemorySegment.copy(bytes, 0, code, ValueLayout.JAVA_BYTE, 0, bytes.length);
        List<Step> decoded = new Decoder(bytes, code.address()).steps();
        steps = decoded.toArray(Step[]::new);
    }

    /// @param code position-independent
    public static Program load(byte[] code) {
        return new Emulator(code);
    }

    @Override
    public void call(long a, long b, long c, long d, long e, long f) {
        Core core = CORE.get();
        core.enter(a, b, c, d, e, f);
        try {
            while (core.next >= 0) {
                steps[core.next++].run(core);
            }
        } finally {
            Reference.reachabilityFence(code);
        }
        core.requireCallerIntact();
    }

    /// @return what is thrown for bytes that are no instruction here
    static IllegalStateException unknown(byte[] code, int at, String why) {
        String bytes = HexFormat.ofDelimiter(" ").formatHex(code, at, Math.min(code.length, at + 12));
        return new IllegalStateException("%x: %s (%s)".formatted(at, bytes, why));
    }
}
