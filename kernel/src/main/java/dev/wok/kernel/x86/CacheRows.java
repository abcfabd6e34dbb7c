package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Imm.imm;
import static dev.wok.emit.x86.Op.VBROADCASTSS;
import static dev.wok.emit.x86.Op.VPANDD;
import static dev.wok.emit.x86.Op.VPSLLD;

import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Vec;

/// How rows of a cache lie that are operands there: as groups of their elements, or in bf16 where
/// products are float32.
///
/// @param kind of the product that reads them
/// @param widens whether bf16 becomes float32 as it is read
/// @param stride bytes between rows
record CacheRows(Tile.Kind kind, boolean widens, int stride) {
    private static final int UPPER = 0xFFFF0000;

    /// @return the bytes of an element
    int elementBytes() {
        return widens ? Short.BYTES : Float.BYTES / kind.perGroup();
    }

    /// @return the groups in 32 bits of a row
    int groups() {
        return widens ? 2 : 1;
    }

    /// Fills the register that [#dots] wants to keep.
    void begin(Lanes l) {
        if (widens) {
            l.broadcast(upper(l), Float.intBitsToFloat(UPPER));
        }
    }

    /// The last register, which tails of AVX2 would take.
    private static Vec upper(Lanes l) {
        return l.v(l.isa().registers() - 1);
    }

    /// As [Tile.Kind#dots], of one of the groups in 32 bits of a row.
    void dots(Lanes l, int sums, int groups, int vectors, Mem word, int group, Vec temporary) {
        if (!widens) {
            kind.dots(l, sums, groups, vectors, word, temporary);
            return;
        }
        l.x.op(VBROADCASTSS, temporary, word);
        if (group == 0) {
            l.x.op(VPSLLD, temporary, temporary, imm(Short.SIZE));
        } else {
            l.x.op(VPANDD, temporary, temporary, upper(l));
        }
        for (int v = 0; v < vectors; v++) {
            l.fma(l.v(sums + v), l.v(groups + v), temporary);
        }
    }
}
