package dev.wok.kernel.x86.emulated;

/// The instructions on mask registers.
final class MaskSteps {
    private static final long WORD = 0xFFFF;
    private static final long DOUBLE_WORD = 0xFFFF_FFFFL;

    private MaskSteps() {}

    /// @param opcode in the VEX encoding's first map
    static boolean isOne(int opcode) {
        return switch (opcode) {
            case 0x41, 0x44, 0x92, 0x93, 0x98 -> true;
            default -> false;
        };
    }

    static Step of(Instruction i, int prefix) {
        i.requireMemory(false);
        int to = i.register();
        int from = i.other();
        boolean isWide = i.operandBytes() == 8;
        boolean isAnd = (i.opcode() & 0xFF) == 0x41;
        Core.require(i.bytes() == (isAnd ? 32 : 16) && (isAnd || i.extra() == 0), "no such form");
        return switch ((i.opcode() & 0xFF) << 4 | prefix << 1 | (isWide ? 1 : 0)) {
            case 0x410 -> {
                int left = i.extra();
                yield core -> core.k[to] = core.k[left] & core.k[from] & WORD;
            }
            case 0x440 -> core -> core.k[to] = ~core.k[from] & WORD;
            case 0x920 -> core -> core.k[to] = core.r[from] & WORD;
            case 0x926 -> core -> core.k[to] = core.r[from] & DOUBLE_WORD;
            case 0x927 -> core -> core.k[to] = core.r[from];
            case 0x930 -> core -> core.r[to] = core.k[from] & WORD;
            case 0x980 ->
                core -> {
                    long both = (core.k[to] | core.k[from]) & WORD;
                    core.carry = both == WORD;
                    core.zero = both == 0;
                    core.sign = false;
                    core.overflow = false;
                };
            default -> throw new IllegalStateException("no such form");
        };
    }
}
