package dev.wok.kernel.ptx;

import dev.wok.device.GpuFacts;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Target;
import java.util.List;

/// A kernel for an [ExpertProduct] in bf16, and how it divides the work.
///
/// Whatever the tiles are, an element of the result is one chain of the same instruction along the
/// depth: `wgmma` for sm_90a, `mma.sync` elsewhere. So its bits depend on the depth alone.
sealed interface GroupedKernel permits GroupedMma, GroupedWgmma {
    /// Writes the code.
    void write(PtxKernel k);

    /// Starts it.
    void launch(Programs programs, GroupedArguments.Problem problem);

    /// @return the estimated time in clocks, to compare kernels by
    double cost(GpuFacts chip, GroupedArguments.Problem problem);

    /// @param out how results are written
    /// @return the kernels that the GPU has room for
    static List<? extends GroupedKernel> candidates(
            Target target, GpuFacts chip, ExpertProduct what, int topK, Elements out) {
        return target == Target.SM_90A
                ? GroupedWgmma.candidates(chip, what, topK, out)
                : GroupedMma.candidates(chip, what, topK, out);
    }

    /// How a kernel fills a multiprocessor.
    ///
    /// @param m rows of a tile
    /// @param n columns of it
    /// @param columns of the result that it has
    /// @param blocks that a multiprocessor has at a time
    /// @param inFlight bytes that a block has asked for at any time
    /// @param efficiency the part of all multiplications that warps get
    record Load(Rates rates, int m, int n, int columns, int blocks, int inFlight, double efficiency) {
        /// @return the clocks that a problem takes, were its rows spread evenly
        double clocks(GpuFacts chip, GroupedArguments.Problem p) {
            boolean isGradient = p.what().isGradient();
            int busy = Math.max(1, Math.min(p.experts(), p.rows()));
            int rowsEach = Math.ceilDiv(p.rows(), busy);
            long down = Math.ceilDiv(isGradient ? p.height() : rowsEach, m);
            long tiles = busy * down * Math.ceilDiv(p.width(), columns);
            long waves = Math.ceilDiv(tiles, (long) chip.multiprocessors() * blocks);
            double depth = Math.ceilDiv(isGradient ? rowsEach : p.depth(), GroupedCopies.K) * (double) GroupedCopies.K;
            double copied = (m + n) * (double) Rounding.BYTES;
            double written = 2.0 * m * columns * Float.BYTES;
            double tile = rates.clocksOfTile(m, n, depth, (double) inFlight * blocks, copied, efficiency, written);
            return waves * (blocks * tile + Rates.START);
        }
    }
}
