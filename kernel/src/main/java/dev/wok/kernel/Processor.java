package dev.wok.kernel;

import dev.wok.device.HostDevice;
import dev.wok.kernel.x86.ProcessorX86;
import dev.wok.notice.BadInput;
import java.util.List;
import java.util.Optional;

/// The host's processor, as far as machine code is written for it.
///
/// @param name the processor's own
/// @param found the instruction sets that kernels are written for and that it runs, from the least to the most
/// @param used the one that is written in, or empty where there is none or the environment asks for the Vector API
/// @param reason for that
public record Processor(String name, List<InstructionSet> found, Optional<InstructionSet> used, String reason) {
    /// The environment variable that chooses: the name of an instruction set, or `vector` for none.
    public static final String VARIABLE = "WOK_ISA";

    /// A set of instructions.
    ///
    /// @param name as [#VARIABLE] and messages have it
    /// @param vectorBytes the size of a vector register
    /// @param hasBf16 whether it multiplies pairs of bf16 and adds them in float32
    /// @param hasByteDots whether it multiplies four bytes and adds them in int32
    public record InstructionSet(String name, int vectorBytes, boolean hasBf16, boolean hasByteDots) {}

    /// Asks the processor, and the environment.
    ///
    /// @throws BadInput where the environment asks for what is not there
    public static Processor describe(HostDevice device) {
        return ProcessorX86.describe(device, System.getenv(VARIABLE));
    }

    /// @return the most that it runs, whatever is used
    public Optional<InstructionSet> best() {
        return found.isEmpty() ? Optional.empty() : Optional.of(found.getLast());
    }
}
