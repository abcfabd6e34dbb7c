package dev.wok.bench;

import java.util.List;

/// A measurement of the kernels.
///
/// @param processor its name
/// @param rows in their order
/// @param readGBs what a plain read of memory reaches, in GB/s
/// @param moveGBs what the fastest mix of reads and writes reaches, counting both
/// @param ceilings what multiplications and additions in registers reach, the lowest first
public record KernelRun(String processor, List<Row> rows, double readGBs, double moveGBs, List<Ceiling> ceilings) {
    /// @param name `float32`, `bf16` or `int8`
    /// @param gigaOperations per second
    public record Ceiling(String name, double gigaOperations) {}

    /// @return a picture of the rows under the limits of the machine, as SVG
    public String roofline() {
        return Roofline.svg(this);
    }
}
