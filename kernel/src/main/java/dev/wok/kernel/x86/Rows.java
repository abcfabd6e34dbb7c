package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.Program;
import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Vec;
import dev.wok.emit.x86.X86;
import dev.wok.kernel.WeightedRows;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
import java.util.function.IntConsumer;

/// Programs over rows of floats that several operations share.
final class Rows {
    private record Add(boolean past) {}

    private record Sum(boolean accumulate) {}

    private record WeightedSum(boolean accumulate) {}

    private record WeightedSumAsBf16(boolean past) {}

    /// Vectors of a weighted sum that stay in registers while all rows are added.
    private static final int VECTORS = 8;

    private Rows() {}

    /// `c[i] = a[i] + b[i]`: called with the addresses of a, b, c and the number of elements.
    ///
    /// @param past whether to store past the caches
    static Program add(Programs programs, boolean past) {
        return programs.get(new Add(past), lanes -> writeAdd(lanes, past));
    }

    private static void writeAdd(Lanes lanes, boolean past) {
        lanes.each(RAX, RCX, R10, 4, copy -> {
            lanes.load(lanes.v(copy), lanes.at(RDI, RAX, copy));
            lanes.load(lanes.v(4 + copy), lanes.at(RSI, RAX, copy));
            lanes.add(lanes.v(copy), lanes.v(copy), lanes.v(4 + copy));
            lanes.store(lanes.at(RDX, RAX, copy), lanes.v(copy), past);
        });
        lanes.end();
    }

    /// `to[i] (+)= sum_r from[r * stride + i]`, the rows in their order: called with the address of `from`, the stride
    /// in bytes, the number of rows (at least 1), the address of `to` and the number of columns.
    ///
    /// @param accumulate whether what is there stays in the sum
    static Program sum(Programs programs, boolean accumulate) {
        return programs.get(new Sum(accumulate), lanes -> writeSum(lanes, accumulate));
    }

    private static void writeSum(Lanes lanes, boolean accumulate) {
        X86 x = lanes.x;
        lanes.inGroups(RAX, R8, R10, 4, size -> {
            for (int i = 0; i < size; i++) {
                lanes.zero(lanes.v(i));
            }
            x.lea(R9, Mem.at(RDI, RAX, Float.BYTES, 0));
            x.mov(R11, RDX);
            lanes.repeat(R11, () -> {
                for (int i = 0; i < size; i++) {
                    lanes.load(lanes.v(4 + i), Mem.at(R9, i * lanes.isa().bytes()));
                    lanes.add(lanes.v(i), lanes.v(i), lanes.v(4 + i));
                }
                x.add(R9, RSI);
            });
            for (int i = 0; i < size; i++) {
                if (accumulate) {
                    lanes.load(lanes.v(4 + i), lanes.at(RCX, RAX, i));
                    lanes.add(lanes.v(i), lanes.v(4 + i), lanes.v(i));
                }
                lanes.store(lanes.at(RCX, RAX, i), lanes.v(i));
            }
        });
        lanes.end();
    }

    /// `to[i] (+)= weight * row[i]` with one rounding, a row after the other: called with the address that
    /// offsets count from, that of `to`, the number of columns, the address of entries as [WeightedRows] has
    /// them and their number (at least 1).
    ///
    /// @param accumulate whether it begins with what is there, and not with zero
    static Program weightedSum(Programs programs, boolean accumulate) {
        return programs.get(new WeightedSum(accumulate), lanes -> {
            writeWeightedSum(lanes, accumulate, size -> {
                for (int i = 0; i < size; i++) {
                    lanes.store(lanes.at(RSI, RAX, i), lanes.v(i));
                }
            });
            lanes.end();
        });
    }

    /// As [#weightedSum], from zero on and rounded to bf16: with AVX2 whole vectors only.
    ///
    /// @param past whether to store past the caches, for a caller who fences
    static Program weightedSumAsBf16(Programs programs, boolean past) {
        return programs.get(new WeightedSumAsBf16(past), lanes -> {
            writeWeightedSum(
                    lanes,
                    false,
                    size -> lanes.storeAllAsBf16(
                            Mem.at(RSI, RAX, Short.BYTES, 0), 0, size, lanes.v(VECTORS), lanes.v(VECTORS + 1), past));
            lanes.endUnfenced();
        });
    }

    /// Calls a program of weighted sums.
    ///
    /// @param at bytes that are added to each row's offset
    /// @param rows one or more
    /// @param to has room for the sum
    static void call(
            Program program, MemorySegment memory, long at, WeightedRows rows, int count, MemorySegment to, long toAt) {
        for (int row = 0; row < rows.size(); row++) {
            RowLoop.require(memory, rows.offset(row) + at, (long) Float.BYTES * count);
        }
        program.call(
                memory.address() + at, to.address() + toAt, count, rows.memory().address(), rows.size());
        Reference.reachabilityFence(memory);
        Reference.reachabilityFence(to);
        Reference.reachabilityFence(rows);
    }

    /* Rows are too short for the processor to see in time where they go on, so what of them is read soon is asked for, and
     * towards their end the beginning of those that are read next. */
    private static void writeWeightedSum(Lanes lanes, boolean accumulate, IntConsumer store) {
        X86 x = lanes.x;
        lanes.inGroups(RAX, RDX, R10, VECTORS, size -> {
            for (int i = 0; i < size; i++) {
                if (accumulate) {
                    lanes.load(lanes.v(i), lanes.at(RSI, RAX, i));
                } else {
                    lanes.zero(lanes.v(i));
                }
            }
            if (size == VECTORS) {
                Label ends = x.label();
                Label done = x.label();
                x.lea(R9, Mem.at(RAX, WeightedRows.AHEAD / Float.BYTES));
                x.cmp(R9, RDX);
                x.jump(Condition.GREATER_OR_EQUAL, ends);
                addRows(lanes, size, true);
                x.jump(done);
                x.bind(ends);
                addRows(lanes, size, false);
                x.bind(done);
            } else {
                addRows(lanes, size, false);
            }
            store.accept(size);
        });
    }

    /// @param within whether what is asked for lies in the same rows
    private static void addRows(Lanes lanes, int vectors, boolean within) {
        X86 x = lanes.x;
        Vec weight = lanes.v(VECTORS);
        Vec row = lanes.v(VECTORS + 1);
        x.mov(R9, RCX);
        x.mov(R10, R8);
        lanes.repeat(R10, () -> {
            x.mov(R11, Mem.at(R9, within ? 0 : WeightedRows.ONWARD));
            x.add(R11, RDI);
            for (int line = 0; line < vectors * lanes.isa().bytes(); line += Ahead.LINE) {
                x.prefetch2(Mem.at(R11, RAX, Float.BYTES, WeightedRows.AHEAD + line));
            }
            if (!within) {
                x.mov(R11, Mem.at(R9, 0));
                x.add(R11, RDI);
            }
            x.op(VBROADCASTSS, weight, Mem.at(R9, WeightedRows.WEIGHT));
            for (int i = 0; i < vectors; i++) {
                lanes.load(row, lanes.at(R11, RAX, i));
                lanes.fma(lanes.v(i), row, weight);
            }
            x.add(R9, WeightedRows.ENTRY);
        });
    }
}
