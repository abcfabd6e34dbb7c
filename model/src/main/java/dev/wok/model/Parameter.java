package dev.wok.model;

import dev.wok.tensor.Tensor;

/// A tensor that training moves. Some hold several tensors of the checkpoint: gate and up projections, and the experts
/// of a layer, lie in one.
///
/// @param name as in the checkpoint where it is one tensor there, a name of the same form where it is several
/// @param value contiguous
/// @param decayed whether weight decay applies: to tensors of two or more dimensions
public record Parameter(String name, Tensor value, boolean decayed) {}
