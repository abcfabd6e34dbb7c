package dev.wok.cli;

import dev.wok.device.EmulatedGpu.LaunchReport;
import dev.wok.device.PtxFault;
import dev.wok.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/// What a launch came to.
///
/// @param fault what was wrong, or null
/// @param report what was counted, or null where nobody counted
/// @param buffers what was in them, where that was asked for and nothing was wrong
record PtxOutcome(
        PtxPlan plan, @Nullable Fault fault, @Nullable LaunchReport report, List<Result> buffers) {

    /// @param kind the rule that was broken, as `out_of_bounds`
    /// @param line of the text, or 0
    /// @param lanes who broke it, or empty
    /// @param message for people, all of it
    record Fault(String kind, int line, String lanes, String message) {
        static Fault of(PtxFault fault) {
            return new Fault(
                    fault.kind().name().toLowerCase(Locale.ROOT),
                    fault.line(),
                    fault.lanes(),
                    String.valueOf(fault.getMessage()));
        }
    }

    /// A buffer, before and after.
    ///
    /// @param wasUnset whether nothing was in it before
    /// @param before in memory of the host
    /// @param after in memory of the host
    record Result(String name, PtxArgument.Buffer buffer, boolean wasUnset, Tensor before, Tensor after) {
        /// @return how many elements the kernel changed
        long changed() {
            if (before.memory().mismatch(after.memory()) < 0) {
                return 0;
            }
            long size = before.dtype().bytes();
            long changed = 0;
            for (long at = 0; at < before.bytes(); at += size) {
                boolean same = true;
                for (long i = at; i < at + size && same; i++) {
                    same = before.memory().get(ValueLayout.JAVA_BYTE, i)
                            == after.memory().get(ValueLayout.JAVA_BYTE, i);
                }
                changed += same ? 0 : 1;
            }
            return changed;
        }
    }
}
