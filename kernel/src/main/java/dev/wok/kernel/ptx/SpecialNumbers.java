package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import java.util.function.Consumer;

/// Infinities and NaN among bf16 in shared memory that weights of zero are about to multiply: zero
/// times infinity is none.
///
/// @param barrier that the threads share
/// @param threads that call this together
/// @param isAsync whether `wgmma` reads the numbers
record SpecialNumbers(PtxKernel k, int barrier, int threads, boolean isAsync) {
    /// Two bf16: exponents of all ones, what carries into the sign where that is so, and the signs.
    private static final int EXPONENTS = 0x7F80_7F80;

    private static final int CARRY = 0x0080_0080;
    private static final int SIGNS = 0x8000_8000;

    /// Calls its argument with the places of pieces of 16 bytes, which together are the numbers, each
    /// for one thread.
    interface Pieces {
        void each(Consumer<Reg> body);
    }

    /// Where there are some: lets them be added where they count, and makes them zeros.
    ///
    /// @param add adds them to the sums of the rows that see them
    void splitOff(Pieces pieces, Runnable add) {
        Reg carries = k.reg(Type.B32, "carries", 0);
        Reg[] words = k.regs(Type.B32, "word", 4);
        pieces.each(place -> {
            k.ld(SHARED, vec(words), place);
            for (Reg word : words) {
                mark(word, word);
                k.or(carries, carries, word);
            }
        });
        Reg isSome = k.compare(Compare.NE, carries, 0);
        k.op("bar.red.or.pred", isSome, barrier, threads, isSome);
        k.when(isSome, () -> {
            add.run();
            k.bar(barrier, threads);
            Reg marks = k.reg(Type.B32, "marks");
            pieces.each(place -> {
                k.ld(SHARED, vec(words), place);
                for (Reg word : words) {
                    mark(marks, word);
                    k.op("shr.u32", marks, marks, 15);
                    k.op("mul.lo.u32", marks, marks, 0xFFFF);
                    k.not(marks, marks);
                    k.and(word, word, marks);
                }
                k.st(SHARED, place, vec(words));
            });
            if (isAsync) {
                k.op("fence.proxy.async");
            }
            k.bar(barrier, threads);
        });
    }

    /// The sign bits of those that are not finite.
    private void mark(Reg marks, Reg word) {
        k.and(marks, word, EXPONENTS);
        k.op("add.u32", marks, marks, CARRY);
        k.and(marks, marks, SIGNS);
    }
}
