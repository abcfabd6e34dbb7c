package dev.wok.kernel.x86;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;
import dev.wok.tensor.Tensor;

/// Rows of memory that are asked for, line by line, while something else is computed.
///
/// @param run bytes of a row in whole lines, 0 where one row follows the other
/// @param stride bytes between rows
record Ahead(int run, int stride) {
    /// The bytes of a line.
    static final int LINE = 64;

    /// Memory without gaps.
    static final Ahead ON = new Ahead(0, 0);

    private static final int STRIDE_MOST = 1 << 24;

    /// @param rows of a page, `[pages, rows, columns]`
    static Ahead of(Tensor rows) {
        long run = (rows.dim(2) * rows.dtype().bytes() + LINE - 1) / LINE * LINE;
        long stride = Span.stride(rows, 1);
        return run < stride && stride <= STRIDE_MOST ? new Ahead((int) run, (int) stride) : ON;
    }

    /// Prepares a register for [#ask] at the beginning of a row.
    void begin(Lanes l, Reg left) {
        if (run > 0) {
            l.x.mov(left, run);
        }
    }

    /// Asks for the next lines.
    ///
    /// @param at points to them, moved on
    /// @param left bytes of the row that are left
    void ask(Lanes l, Reg at, Reg left, int lines) {
        if (run == 0) {
            for (int line = 0; line < lines; line++) {
                l.x.prefetch2(Mem.at(at, line * LINE));
            }
            l.x.add(at, lines * LINE);
            return;
        }
        for (int line = 0; line < lines; line++) {
            Label within = l.x.label();
            l.x.prefetch2(Mem.at(at));
            l.x.add(at, LINE);
            l.x.sub(left, LINE);
            l.x.jump(Condition.NOT_EQUAL, within);
            l.x.add(at, stride - run);
            l.x.mov(left, run);
            l.x.bind(within);
        }
    }
}
