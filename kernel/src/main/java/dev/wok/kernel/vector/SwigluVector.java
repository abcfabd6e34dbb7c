package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Swiglu;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

final class SwigluVector extends Swiglu {
    private final Workers workers;

    SwigluVector(Workers workers) {
        this.workers = workers;
    }

    @Override
    protected void activate(Tensor gateUp, Tensor out) {
        Tasks.requireFloats("Swiglu", gateUp, out);
        Tasks.rows(workers, out.size(0), 4 * out.dim(1), (from, to, _) -> {
            for (int t = from; t < to; t++) {
                forwardRow(gateUp.memory(), t * gateUp.stride(0), out.memory(), t * out.stride(0), out.size(1));
            }
        });
    }

    static void forwardRow(MemorySegment gateUp, long i, MemorySegment out, long j, int n) {
        for (int at = 0; at < n; at += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(at, n);
            FloatVector gate = Lanes.load(gateUp, i + at, mask);
            FloatVector up = Lanes.load(gateUp, i + n + at, mask);
            Lanes.store(gate.mul(Lanes.sigmoid(gate)).mul(up), out, j + at, mask);
        }
    }

    @Override
    protected void gradient(Tensor gateUp, Tensor dOut, Tensor dGateUp) {
        Tasks.requireFloats("Swiglu", gateUp, dOut, dGateUp);
        Tasks.rows(workers, dOut.size(0), 4 * dOut.dim(1), (from, to, _) -> {
            for (int t = from; t < to; t++) {
                backwardRow(
                        gateUp.memory(),
                        t * gateUp.stride(0),
                        dOut.memory(),
                        t * dOut.stride(0),
                        dGateUp.memory(),
                        t * dGateUp.stride(0),
                        dOut.size(1));
            }
        });
    }

    private static void backwardRow(
            MemorySegment gateUp, long i, MemorySegment dOut, long j, MemorySegment dGateUp, long k, int n) {
        for (int at = 0; at < n; at += Lanes.COUNT) {
            VectorMask<Float> mask = Lanes.tail(at, n);
            FloatVector gate = Lanes.load(gateUp, i + at, mask);
            FloatVector up = Lanes.load(gateUp, i + n + at, mask);
            FloatVector d = Lanes.load(dOut, j + at, mask);
            FloatVector sigmoid = Lanes.sigmoid(gate);
            FloatVector silu = gate.mul(sigmoid);
            FloatVector slope = sigmoid.fma(gate.sub(silu), sigmoid);
            Lanes.store(d.mul(up).mul(slope), dGateUp, k + at, mask);
            Lanes.store(d.mul(silu), dGateUp, k + n + at, mask);
        }
    }
}
