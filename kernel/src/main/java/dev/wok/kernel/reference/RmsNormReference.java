package dev.wok.kernel.reference;

import dev.wok.kernel.RmsNorm;
import dev.wok.tensor.Tensor;

final class RmsNormReference extends RmsNorm {
    @Override
    protected void normalize(Tensor x, Tensor weight, double eps, Tensor y, Tensor rstd) {
        long n = x.dim(1);
        for (long t = 0; t < x.dim(0); t++) {
            double squares = 0;
            for (long i = 0; i < n; i++) {
                double value = x.get(t * x.stride(0) + i);
                squares += value * value;
            }
            double factor = 1 / Math.sqrt(squares / n + eps);
            rstd.set(t, factor);
            for (long i = 0; i < n; i++) {
                y.set(t * y.stride(0) + i, x.get(t * x.stride(0) + i) * factor * weight.get(i));
            }
        }
    }

    @Override
    protected void gradient(
            Tensor x, Tensor weight, Tensor rstd, Tensor dy, Tensor dx, boolean accumulate, Tensor dWeight) {
        long n = x.dim(1);
        for (long t = 0; t < x.dim(0); t++) {
            double factor = rstd.get(t);
            double mean = 0;
            for (long i = 0; i < n; i++) {
                double h = x.get(t * x.stride(0) + i) * factor;
                mean += dy.get(t * dy.stride(0) + i) * weight.get(i) * h / n;
            }
            for (long i = 0; i < n; i++) {
                double h = x.get(t * x.stride(0) + i) * factor;
                double g = dy.get(t * dy.stride(0) + i) * weight.get(i);
                Numbers.put(dx, t * dx.stride(0) + i, factor * (g - h * mean), accumulate);
            }
        }
        for (long i = 0; i < n; i++) {
            double sum = 0;
            for (long t = 0; t < x.dim(0); t++) {
                sum += dy.get(t * dy.stride(0) + i) * x.get(t * x.stride(0) + i) * rstd.get(t);
            }
            Numbers.add(dWeight, i, sum);
        }
    }
}
