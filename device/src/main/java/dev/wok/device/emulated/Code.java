package dev.wok.device.emulated;

import dev.wok.device.emulated.Listing.Register;
import dev.wok.device.emulated.Listing.Routine;
import dev.wok.device.emulated.Listing.Statement;
import java.util.List;
import java.util.Map;

/// A kernel that is ready to run.
///
/// @param slots registers of a lane, predicates not counted
/// @param sharedBytes of the variables that the text declares
/// @param dynamicAlign where memory whose size a launch says begins, behind the variables: at a multiple of it
/// @param localBytes of one thread
/// @param specials special registers that have a slot, by name
record Code(
        Routine routine,
        Listing listing,
        List<Instruction> instructions,
        int slots,
        int predicates,
        Map<String, Parameter> parameters,
        int parameterBytes,
        int sharedBytes,
        int dynamicAlign,
        int localBytes,
        Map<String, Register> specials,
        boolean usesWgmma) {

    record Parameter(String name, int offset, int bytes, int align) {}

    /// @param guard the predicate's slot, or -1
    /// @param reads slots of the registers that it reads
    /// @param writes slots of the registers that it writes
    /// @param shape of a `wgmma.mma_async`; else empty
    record Instruction(
            Step step, int guard, boolean isNegated, Statement statement, int[] reads, int[] writes, String shape) {
        int line() {
            return statement.line();
        }
    }
}
