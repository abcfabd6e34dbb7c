package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RBX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.X86;
import dev.wok.tensor.Copies;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// What the processor says about itself through CPUID, and what of it the operating system has switched on (XCR0).
///
/// @param name the processor's own
/// @param isas what it runs, from the least to the most
record Cpu(String name, List<Isa> isas) {
    private static final int LEAF_BYTES = 4 * Integer.BYTES;

    static boolean isX86() {
        // macOS has a name of its own for it.
        return Set.of("amd64", "x86_64").contains(System.getProperty("os.arch")) && Program.supported();
    }

    /// Asks the processor.
    static Cpu ask(HostDevice device) {
        Program cpuid = device.load(cpuidCode());
        Program xgetbv = device.load(xgetbvCode());
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(LEAF_BYTES, Integer.BYTES);
            int[] highest = leaf(cpuid, out, 0, 0);
            int[] features = leaf(cpuid, out, 1, 0);
            int[] extended = highest[0] >= 7 ? leaf(cpuid, out, 7, 0) : new int[4];
            int[] more = highest[0] >= 7 && extended[0] >= 1 ? leaf(cpuid, out, 7, 1) : new int[4];
            int state = 0;
            if (bit(features[2], 27)) {
                xgetbv.call(out.address());
                state = out.get(ValueLayout.JAVA_INT, 0);
            }
            return new Cpu(name(cpuid, out), isas(features, extended, more, state));
        }
    }

    private static List<Isa> isas(int[] features, int[] extended, int[] more, int state) {
        boolean avx = (state & 0x6) == 0x6 && bit(features[2], 28);
        boolean avx2 = avx && bit(features[2], 12) && bit(extended[1], 5) && bit(extended[1], 8);
        boolean avx512 = avx2
                && (state & 0xE6) == 0xE6
                && bit(extended[1], 16)
                && bit(extended[1], 17)
                && bit(extended[1], 30)
                && bit(extended[1], 31);
        List<Isa> isas = new ArrayList<>();
        for (Isa isa : Isa.values()) {
            boolean runs = switch (isa) {
                case AVX2 -> avx2;
                case AVX2_VNNI -> avx2 && bit(more[0], 4);
                case AVX512 -> avx512;
                case AVX512_BF16 -> avx512 && bit(more[0], 5) && bit(extended[2], 11);
            };
            if (runs) {
                isas.add(isa);
            }
        }
        return List.copyOf(isas);
    }

    private static boolean bit(int value, int number) {
        return (value >>> number & 1) == 1;
    }

    private static String name(Program cpuid, MemorySegment out) {
        if (Integer.compareUnsigned(leaf(cpuid, out, 0x80000000, 0)[0], 0x80000004) < 0) {
            return "x86-64";
        }
        byte[] text = new byte[3 * LEAF_BYTES];
        for (int i = 0; i < 3; i++) {
            leaf(cpuid, out, 0x80000002 + i, 0);
            Copies.bytes(out, 0, text, i * LEAF_BYTES, LEAF_BYTES);
        }
        return new String(text, StandardCharsets.US_ASCII)
                .replaceAll("[^\\x20-\\x7e]", "")
                .strip();
    }

    private static int[] leaf(Program cpuid, MemorySegment out, int leaf, int part) {
        cpuid.call(out.address(), leaf, part);
        int[] words = new int[LEAF_BYTES / Integer.BYTES];
        Copies.ints(out, 0, words, 0, words.length);
        return words;
    }

    private static byte[] cpuidCode() {
        X86 x = new X86();
        x.push(RBX);
        x.mov(R8, RDI);
        x.mov(RAX, RSI);
        x.mov(RCX, RDX);
        x.cpuid();
        x.mov32(Mem.at(R8, 0), RAX);
        x.mov32(Mem.at(R8, 4), RBX);
        x.mov32(Mem.at(R8, 8), RCX);
        x.mov32(Mem.at(R8, 12), RDX);
        x.pop(RBX);
        x.ret();
        return x.bytes();
    }

    private static byte[] xgetbvCode() {
        X86 x = new X86();
        x.mov(RCX, 0);
        x.xgetbv();
        x.mov32(Mem.at(RDI), RAX);
        x.ret();
        return x.bytes();
    }

    /// @return the most that it runs
    Optional<Isa> best() {
        return isas.isEmpty() ? Optional.empty() : Optional.of(isas.getLast());
    }
}
