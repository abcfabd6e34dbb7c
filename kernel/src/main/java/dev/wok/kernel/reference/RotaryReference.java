package dev.wok.kernel.reference;

import dev.wok.kernel.Rotary;
import dev.wok.tensor.Tensor;

final class RotaryReference extends Rotary {
    @Override
    protected void angles(Tensor positions, Tensor frequencies, double scaling, Tensor cos, Tensor sin) {
        for (long t = 0; t < cos.dim(0); t++) {
            for (long i = 0; i < cos.dim(1); i++) {
                float angle = positions.getInt(t) * (float) frequencies.get(i);
                cos.set(t * cos.stride(0) + i, Math.cos(angle) * scaling);
                sin.set(t * sin.stride(0) + i, Math.sin(angle) * scaling);
            }
        }
    }

    @Override
    protected void turn(Tensor x, Tensor cos, Tensor sin, Pairing pairing, boolean backward) {
        long half = cos.dim(1);
        for (long t = 0; t < x.dim(0); t++) {
            for (long h = 0; h < x.dim(1); h++) {
                long row = t * x.stride(0) + h * x.stride(1);
                for (long i = 0; i < half; i++) {
                    long first = row + (pairing == Pairing.INTERLEAVED ? 2 * i : i);
                    long second = pairing == Pairing.INTERLEAVED ? first + 1 : first + half;
                    double c = cos.get(t * cos.stride(0) + i);
                    double s = sin.get(t * sin.stride(0) + i) * (backward ? -1 : 1);
                    double x0 = x.get(first);
                    double x1 = x.get(second);
                    x.set(first, x0 * c - x1 * s);
                    x.set(second, x1 * c + x0 * s);
                }
            }
        }
    }
}
