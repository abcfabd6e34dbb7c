package dev.wok.kernel.x86.emulated;

/// What general instructions compute, and the flags that they leave.
final class Flags {
    private Flags() {}

    /// @param code of a condition, as jumps hold it
    /// @return whether the flags meet it
    static boolean holds(Core core, int code) {
        boolean holds = switch (code >> 1) {
            case 0 -> core.overflow;
            case 1 -> core.carry;
            case 2 -> core.zero;
            case 3 -> core.carry || core.zero;
            case 4 -> core.sign;
            case 6 -> core.sign != core.overflow;
            case 7 -> core.zero || core.sign != core.overflow;
            default -> throw new IllegalStateException("parity is not kept");
        };
        return holds != ((code & 1) == 1);
    }

    static long add(Core core, long a, long b) {
        long sum = a + b;
        core.carry = Long.compareUnsigned(sum, a) < 0;
        core.overflow = ((a ^ sum) & (b ^ sum)) < 0;
        return result(core, sum);
    }

    static long subtract(Core core, long a, long b) {
        long difference = a - b;
        core.carry = Long.compareUnsigned(a, b) < 0;
        core.overflow = ((a ^ b) & (a ^ difference)) < 0;
        return result(core, difference);
    }

    /// The flags of bitwise logic.
    static long logic(Core core, long value) {
        core.carry = false;
        core.overflow = false;
        return result(core, value);
    }

    /// @param carry the last bit that was shifted out
    static long shifted(Core core, long value, boolean carry) {
        core.carry = carry;
        core.overflow = false;
        return result(core, value);
    }

    private static long result(Core core, long value) {
        core.zero = value == 0;
        core.sign = value < 0;
        return value;
    }
}
