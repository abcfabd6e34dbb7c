package dev.wok.kernel.x86.emulated;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Arrays;

/// What a processor core remembers between instructions, and its view of memory: all of it, at its real
/// addresses.
final class Core {
    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED;
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED;
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED;

    @SuppressWarnings("restricted")
    static final MemorySegment MEMORY = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    static final int RSP = 4;
    /// A general register that always holds 0.
    static final int ZERO = 16;

    /// The 32-bit pieces of a vector register.
    static final int WIDTH = 16;
    /// Behind the vector registers: what was read from memory, and a result that is not yet written.
    static final int FETCHED = 32 * WIDTH;
    static final int RESULT = FETCHED + WIDTH;

    private static final int[] ARGUMENTS = {7, 6, 2, 1, 8, 9};
    /// RBX, RBP and R12 to R15 belong to the caller.
    private static final int[] KEPT = {3, 5, 12, 13, 14, 15};
    private static final long STACK_BYTES = 1 << 14;
    private static final long CALLER = 0x7E57_CA11;
    /// What registers hold before a program writes them: as a float no number, as an address none.
    private static final int UNSET = 0x7FA5_5A7F;

    private final MemorySegment stack = Arena.ofAuto().allocate(STACK_BYTES, 64);

    /// The general registers.
    final long[] r = new long[17];
    /// The vector registers, 16 values each.
    final int[] v = new int[34 * WIDTH];
    /// The mask registers.
    final long[] k = new long[8];

    boolean carry;
    boolean zero;
    boolean sign;
    boolean overflow;

    /// The step after this one; below 0 after a return.
    int next;

    /// Sets everything as a caller leaves it: arguments in their registers, the upper parts of the lower
    /// vector registers clean, no other register of any use.
    void enter(long... arguments) {
        Arrays.fill(r, 0, 16, (long) UNSET << 32 | CALLER);
        for (int i = 0; i < arguments.length; i++) {
            r[ARGUMENTS[i]] = arguments[i];
        }
        Arrays.fill(v, UNSET);
        cleanUppers();
        Arrays.fill(k, UNSET);
        r[RSP] = top();
        push(CALLER);
        next = 0;
    }

    private long top() {
        return stack.address() + STACK_BYTES / 2;
    }

    /// Requires what a caller expects when its call is over.
    void requireCallerIntact() {
        require(r[RSP] == top(), "the stack pointer is off by " + (r[RSP] - top()));
        for (int register : KEPT) {
            require(r[register] == ((long) UNSET << 32 | CALLER), "register %d is not restored".formatted(register));
        }
        for (int i = 0; i < 16; i++) {
            for (int lane = 4; lane < WIDTH; lane++) {
                require(v[i * WIDTH + lane] == 0, "no vzeroupper before the return");
            }
        }
    }

    static void require(boolean condition, String message) {
        if (!condition) {
            throw new IllegalStateException(message);
        }
    }

    void cleanUppers() {
        for (int i = 0; i < 16; i++) {
            Arrays.fill(v, i * WIDTH + 4, (i + 1) * WIDTH, 0);
        }
    }

    void push(long value) {
        r[RSP] -= Long.BYTES;
        MEMORY.set(LONG, r[RSP], value);
    }

    long pop() {
        long value = MEMORY.get(LONG, r[RSP]);
        r[RSP] += Long.BYTES;
        return value;
    }

    void leave() {
        require(pop() == CALLER, "a return to somewhere else");
        next = -1;
    }

    void read(long address, int to, int bytes) {
        switch (bytes) {
            case 1 -> v[to] = Byte.toUnsignedInt(MEMORY.get(ValueLayout.JAVA_BYTE, address));
            case 2 -> v[to] = Short.toUnsignedInt(MEMORY.get(SHORT, address));
            default -> {
                for (int i = 0; i < bytes >> 2; i++) {
                    v[to + i] = MEMORY.get(INT, address + 4L * i);
                }
            }
        }
    }

    void write(long address, int from, int bytes) {
        for (int i = 0; i < bytes >> 2; i++) {
            MEMORY.set(INT, address + 4L * i, v[from + i]);
        }
    }

    /// @param mask bit `i` guards the `i`-th lane
    /// @param bytes of a lane
    void readUnder(long mask, long address, int to, int lanes, int bytes) {
        for (int i = 0; i < lanes; i++) {
            if ((mask >>> i & 1) == 1) {
                long at = address + (long) i * bytes;
                switch (bytes) {
                    case 1 -> Pieces.put8(v, to, i, MEMORY.get(ValueLayout.JAVA_BYTE, at));
                    case 2 -> Pieces.put16(v, to, i, MEMORY.get(SHORT, at));
                    case 4 -> v[to + i] = MEMORY.get(INT, at);
                    default -> Pieces.put64(v, to, i, MEMORY.get(LONG, at));
                }
            }
        }
    }

    /// As [#readUnder], the other way.
    void writeUnder(long mask, long address, int from, int lanes, int bytes) {
        for (int i = 0; i < lanes; i++) {
            if ((mask >>> i & 1) == 1) {
                long at = address + (long) i * bytes;
                switch (bytes) {
                    case 1 -> MEMORY.set(ValueLayout.JAVA_BYTE, at, (byte) Pieces.get8(v, from, i));
                    case 2 -> MEMORY.set(SHORT, at, (short) Pieces.get16(v, from, i));
                    case 4 -> MEMORY.set(INT, at, v[from + i]);
                    default -> MEMORY.set(LONG, at, Pieces.get64(v, from, i));
                }
            }
        }
    }
}
