package dev.wok.device;

/// What an emulated GPU found wrong with a program: the rule that was broken, the line of PTX, and who broke it.
public final class PtxFault extends RuntimeException {
    private static final long serialVersionUID = 1;

    /// The rules.
    public enum Kind {
        /// The text is no PTX, or not of a kind that the emulator knows.
        SYNTAX,
        /// Memory that belongs to nothing was touched.
        OUT_OF_BOUNDS,
        /// An address is no multiple of what its access needs.
        MISALIGNED,
        /// Memory was read that nobody has written.
        UNINITIALIZED,
        /// Two threads touched the same memory, one wrote, and nothing orders them.
        RACE,
        /// The result of an asynchronous copy was touched before it was waited for, or its source overwritten.
        ASYNC_EARLY,
        /// An asynchronous unit may not see what ordinary stores wrote: no `fence.proxy.async` between them.
        PROXY,
        /// Threads wait at a barrier that others never reach, or reach by other ways.
        BARRIER,
        /// Registers of a running `wgmma` were touched, or it was started without `wgmma.fence`.
        WGMMA_IN_FLIGHT,
        /// Lanes that must execute an instruction together did not.
        DIVERGED,
        /// The threads ran on without getting anywhere.
        HANG,
        /// Anything else that PTX leaves undefined or forbids.
        INVALID
    }

    private final Kind kind;
    private final int line;
    private final String lanes;

    /// @param kind the rule that was broken
    /// @param line of the PTX text, from 1; 0 where no single line is to blame
    /// @param lanes who broke it, such as `block (0,0,0) warp 1 lanes 0-3`; empty where the text alone is wrong
    /// @param message for people
    public PtxFault(Kind kind, int line, String lanes, String message) {
        super(message);
        this.kind = kind;
        this.line = line;
        this.lanes = lanes;
    }

    public Kind kind() {
        return kind;
    }

    public int line() {
        return line;
    }

    public String lanes() {
        return lanes;
    }
}
