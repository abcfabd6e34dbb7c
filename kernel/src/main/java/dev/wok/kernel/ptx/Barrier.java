package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.Address;
import dev.wok.emit.ptx.Operand;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;

/// Mbarriers in this block's shared memory: each counts arrivals, and bytes that the copy engine
/// brings, and its phase is over when none is missing.
final class Barrier {
    private Barrier() {}

    /// @param arrivals that end a phase
    static void init(PtxKernel k, Address barrier, int arrivals) {
        k.op("mbarrier.init.shared::cta.b64", barrier, arrivals);
    }

    /// Shows new barriers to the copy engine and to the other blocks of a cluster.
    static void showNew(PtxKernel k) {
        k.op("fence.mbarrier_init.release.cluster");
    }

    static void arrive(PtxKernel k, Address barrier) {
        k.op("mbarrier.arrive.shared::cta.b64", Operand.NOWHERE, barrier);
    }

    /// Arrives, and lets the phase wait for so many bytes more.
    static void arriveAndExpect(PtxKernel k, Address barrier, int bytes) {
        k.op("mbarrier.arrive.expect_tx.shared::cta.b64", Operand.NOWHERE, barrier, bytes);
    }

    /// Waits until the phase of that parity is over.
    static void await(PtxKernel k, Address barrier, Object parity) {
        k.repeatWhile(() -> {
            Reg isOver = k.reg(Type.PRED, "is_over");
            k.op("mbarrier.try_wait.parity.shared::cta.b64", isOver, barrier, parity);
            return isOver.not();
        });
    }
}
