package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Mask.K2;
import static dev.wok.emit.x86.Mask.K3;
import static dev.wok.emit.x86.Op.KANDW;
import static dev.wok.emit.x86.Op.VANDPS;
import static dev.wok.emit.x86.Op.VBLENDMPS;
import static dev.wok.emit.x86.Op.VBLENDVPS;
import static dev.wok.emit.x86.Op.VMOVD;
import static dev.wok.emit.x86.Op.VMOVUPS;
import static dev.wok.emit.x86.Op.VPADDD;
import static dev.wok.emit.x86.Op.VPANDD;
import static dev.wok.emit.x86.Op.VPBROADCASTD;
import static dev.wok.emit.x86.Op.VPCMPGTD;
import static dev.wok.emit.x86.Vec.xmm;

import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.Vec;
import java.util.stream.IntStream;

/// Code that tells the columns of a row of scores that count from those that do not: `after < column < end`.
///
/// @param columns holds column numbers
/// @param set overwritten, the answer of AVX2; AVX-512 has it in `k3` and uses `k2`
record KeyRange(Lanes l, Vec columns, Vec set) {
    /// Fills a vector with `column`, `column + 1`, ..
    static void columns(Lanes l, Vec to, Reg column) {
        l.x.op(VMOVD, xmm(to.number()), column);
        l.x.op(VPBROADCASTD, to, xmm(to.number()));
        Mem lanes = l.x.constant(IntStream.range(0, l.count()).toArray());
        l.x.op(VPADDD, to, to, lanes);
    }

    /// Finds the columns that count.
    ///
    /// @param temporary overwritten with AVX2
    void find(Vec after, Vec end, Vec temporary) {
        findBefore(end);
        if (l.isa().hasMasks()) {
            l.x.op(VPCMPGTD, K2, columns, after);
            l.x.op(KANDW, K3, K3, K2);
        } else {
            l.x.op(VPCMPGTD, temporary, columns, after);
            l.x.op(VPANDD, set, set, temporary);
        }
    }

    /// Finds the columns that count where nothing lies before them.
    void findBefore(Vec end) {
        if (l.isa().hasMasks()) {
            l.x.op(VPCMPGTD, K3, end, columns);
        } else {
            l.x.op(VPCMPGTD, set, end, columns);
        }
    }

    /// Replaces what does not count.
    void fill(Vec value, Vec filler) {
        if (l.isa().hasMasks()) {
            l.x.op(VBLENDMPS, value.under(K3), filler, value);
        } else {
            l.x.op(VBLENDVPS, value, filler, value, set);
        }
    }

    /// Sets what does not count to zero.
    void zero(Vec value) {
        if (l.isa().hasMasks()) {
            l.x.op(VMOVUPS, value.zeroed(K3), value);
        } else {
            l.x.op(VANDPS, value, value, set);
        }
    }
}
