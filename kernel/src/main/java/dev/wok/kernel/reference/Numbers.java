package dev.wok.kernel.reference;

import dev.wok.tensor.Tensor;

/// Arithmetic that several reference operations share.
final class Numbers {
    private Numbers() {}

    static void add(Tensor tensor, long offset, double value) {
        tensor.set(offset, tensor.get(offset) + value);
    }

    static void put(Tensor tensor, long offset, double value, boolean accumulate) {
        tensor.set(offset, accumulate ? tensor.get(offset) + value : value);
    }

    static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    static double silu(double x) {
        return x * sigmoid(x);
    }

    static double siluGradient(double x) {
        double s = sigmoid(x);
        return s * (1 + x * (1 - s));
    }
}
