package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Op.VCVTNE2PS2BF16;
import static dev.wok.emit.x86.Op.VPERMW;
import static dev.wok.emit.x86.Op.VPORD;
import static dev.wok.emit.x86.Op.VPSLLD;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.RDI;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Vec;
import dev.wok.tensor.DType;

/// What [PackColumns] and [PackPanels] have in common: they go through a table of rows, two at a time
/// where a group is a pair, and bring the elements of two rows together.
///
/// @param scaled whether rows are multiplied by factors: a bf16 element is then a float32 number, else its bits
record RowPairs(Cast cast, boolean scaled) {
    private static final int ORDER = 20;

    /// Writes code for one row, or for two.
    interface Step {
        void write(boolean second);
    }

    private boolean inPairs() {
        return cast.kind() == Tile.Kind.BF16;
    }

    /// Fills a vector with the order that brings the lower and the upper half of a vector of bf16 together in pairs.
    static void loadOrder(Lanes l, Vec order) {
        int[] interleaved = new int[16];
        for (int i = 0; i < 16; i++) {
            interleaved[i] = 16 + i << 16 | i;
        }
        l.load(order, l.x.constant(interleaved));
    }

    /// Goes through all rows: their table is in `rdi`, their number, 1 or more, in `r8`; both are overwritten. Keeps
    /// register 20.
    ///
    /// @param next moves the target on by a group
    void each(Lanes l, Step step, Runnable next) {
        if (inPairs()) {
            loadOrder(l, l.v(ORDER));
        }
        Label last = l.x.label();
        Label done = l.x.label();
        int perStep = cast.kind().perGroup();
        l.x.sub(R8, perStep);
        l.x.jump(Condition.LESS, last);
        Label again = l.x.here();
        step.write(inPairs());
        l.x.add(RDI, perStep * Long.BYTES);
        next.run();
        l.x.sub(R8, perStep);
        l.x.jump(Condition.GREATER_OR_EQUAL, again);
        l.x.bind(last);
        if (inPairs()) {
            l.x.add(R8, perStep);
            l.x.jump(Condition.EQUAL, done);
            step.write(false);
        }
        l.x.bind(done);
    }

    /// Makes groups of the elements of a row, or of two.
    ///
    /// @param low the first row's, overwritten with the groups
    /// @param high the second row's where there is one, overwritten
    void group(Lanes l, Vec low, Vec high, boolean second) {
        if (!inPairs()) {
            if (cast.rounds()) {
                l.roundToBf16(low, l.v(2), l.v(3));
            }
            return;
        }
        if (!second) {
            l.zero(high);
        }
        if (cast.from() == DType.BF16 && !scaled) {
            l.x.op(VPSLLD, high, high, imm(16));
            l.x.op(VPORD, low, low, high);
        } else {
            interleave(l, low, high, l.v(ORDER));
        }
    }

    /// Rounds two vectors to bf16 and brings them together in pairs.
    ///
    /// @param low overwritten with the pairs
    static void interleave(Lanes l, Vec low, Vec high, Vec order) {
        l.x.op(VCVTNE2PS2BF16, low, high, low);
        l.x.op(VPERMW, low, order, low);
    }
}
