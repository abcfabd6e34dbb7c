package dev.wok.kernel.reference;

import dev.wok.kernel.Swiglu;
import dev.wok.tensor.Tensor;

final class SwigluReference extends Swiglu {
    @Override
    protected void activate(Tensor gateUp, Tensor out) {
        long n = out.dim(1);
        for (long t = 0; t < out.dim(0); t++) {
            long row = t * gateUp.stride(0);
            for (long i = 0; i < n; i++) {
                out.set(t * out.stride(0) + i, Numbers.silu(gateUp.get(row + i)) * gateUp.get(row + n + i));
            }
        }
    }

    @Override
    protected void gradient(Tensor gateUp, Tensor dOut, Tensor dGateUp) {
        long n = dOut.dim(1);
        for (long t = 0; t < dOut.dim(0); t++) {
            long row = t * gateUp.stride(0);
            for (long i = 0; i < n; i++) {
                double gate = gateUp.get(row + i);
                double up = gateUp.get(row + n + i);
                double d = dOut.get(t * dOut.stride(0) + i);
                dGateUp.set(t * dGateUp.stride(0) + i, d * up * Numbers.siluGradient(gate));
                dGateUp.set(t * dGateUp.stride(0) + n + i, d * Numbers.silu(gate));
            }
        }
    }
}
