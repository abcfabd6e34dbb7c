package dev.wok.kernel.ptx;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

/// Operands as tensor cores are fed with them: bf16 in [AlignedRows]. One that lies so is read where it
/// lies; another one is copied first, which costs a pass over it. What a weight becomes is kept, see
/// [DenseForms].
final class Bf16Operands {
    private Bf16Operands() {}

    /// @return whether it is such an operand already
    static boolean isReady(Tensor value) {
        return value.dtype() == DType.BF16 && AlignedRows.are(value);
    }

    /// @param name of the memory for a copy, which is its until the next call with that name
    /// @return the operand, or a copy of it
    static Tensor of(Programs programs, String name, Tensor value) {
        if (isReady(value)) {
            return value;
        }
        Tensor copy = AlignedRows.scratch(programs, name, DType.BF16, value.shape());
        CopyRows.launch(programs, value, copy);
        return copy;
    }
}
