package dev.wok.kernel.ptx;

/// The matrix products of [ExpertsPtx]. The rows lie sorted by expert, and how many an expert has is known on the GPU
/// alone.
///
/// The first four multiply each expert's rows with its weight: `[rows, depth]` times `[width, depth]` (or `[depth,
/// width]`). The gradients are sums over an expert's rows: `[rows, height]` and `[rows, width]` give `[height, width]`.
enum ExpertProduct {
    /// A gathered row times gate and up, and SwiGLU: the width is that of either.
    GATE_UP,
    DOWN,
    /// A gathered row times the turned down weight: what comes out is multiplied with the row's factor, and its dot
    /// with the row's activation is left as parts.
    DOWN_BACKWARD,
    GATE_UP_BACKWARD,
    DOWN_GRADIENT,
    /// The right operand is gathered.
    GATE_UP_GRADIENT;

    boolean isGradient() {
        return this == DOWN_GRADIENT || this == GATE_UP_GRADIENT;
    }

    /// @return whether neighbours of the right operand lie along the width; else they lie along the depth
    boolean isRightAcross() {
        return this != GATE_UP && this != DOWN;
    }

    boolean gathersLeft() {
        return this == GATE_UP || this == DOWN_BACKWARD;
    }

    boolean gathersRight() {
        return this == GATE_UP_GRADIENT;
    }
}
