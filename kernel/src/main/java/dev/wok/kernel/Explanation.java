package dev.wok.kernel;

import dev.wok.device.Gpu;
import dev.wok.kernel.ptx.PtxKernels;
import java.util.List;
import java.util.function.Consumer;

/// How a kernel of a GPU came about.
///
/// @param name that it is launched by
/// @param configuration what its code depends on, beside the GPU
/// @param reason for that
/// @param source PTX
/// @param resources what the assembler says of registers, shared memory and spills, as far as it says something
public record Explanation(String name, String configuration, String reason, String source, String resources) {
    /// @param precision of products
    /// @param work is given kernels, and calls them
    /// @return the kernels that the work needed, in the order in which they were first called
    public static List<Explanation> of(Gpu gpu, Precision precision, Consumer<Kernels> work) {
        return PtxKernels.explained(gpu, precision, work);
    }
}
