package dev.wok.model;

import dev.wok.tensor.Tensor;
import java.util.List;

/// What every rank of a group has alike of a model, everything but routed experts, in one tensor.
///
/// @param values one dimension; each parameter begins at a multiple of
///     [dev.wok.kernel.AdamW#BLOCK] elements, and what lies between parameters is zero
/// @param pieces the parameters in their order
public record Flat(Tensor values, List<Piece> pieces) {
    /// A parameter within the tensor, whose value is a view of it.
    ///
    /// @param from its first element
    public record Piece(Parameter parameter, long from) {}
}
