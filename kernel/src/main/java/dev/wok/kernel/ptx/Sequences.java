package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// Which sequence of a batch a token belongs to.
final class Sequences {
    private Sequences() {}

    /// @param starts address of the first token of each sequence, in their order
    /// @param sequences how many, one at least
    /// @return the last sequence that begins at this token or before, by halving; always one of them,
    ///     whatever `starts` says
    static Reg of(PtxKernel k, Reg starts, Reg sequences, Reg token) {
        Reg least = k.reg(Type.U32, "least", 0);
        Reg most = k.reg(Type.U32, "most");
        Reg middle = k.reg(Type.U32, "middle");
        Reg start = k.reg(Type.U32, "start");
        Reg at = k.reg(Type.U64, "start_at");
        k.sub(most, sequences, 1);
        k.loopWhile(() -> k.compare(Compare.LT, least, most), () -> {
            k.add(middle, least, most);
            k.add(middle, middle, 1);
            k.shr(middle, middle, 1);
            k.madWide(at, middle, Integer.BYTES, starts);
            k.ld(GLOBAL, start, at);
            Reg begins = k.compare("begins", Compare.LE, start, token);
            k.onlyIf(begins, () -> k.mov(least, middle));
            k.onlyIf(begins.not(), () -> k.sub(most, middle, 1));
        });
        return least;
    }
}
