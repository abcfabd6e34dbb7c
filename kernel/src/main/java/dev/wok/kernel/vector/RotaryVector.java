package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.Rotary;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/* Pairs of neighbours do not suit vectors, and a rotary part is a small share of a row: plain loops over floats. */
final class RotaryVector extends Rotary {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;

    private final Workers workers;

    RotaryVector(Workers workers) {
        this.workers = workers;
    }

    @Override
    protected void angles(Tensor positions, Tensor frequencies, double scaling, Tensor cos, Tensor sin) {
        Tasks.requireFloats("Rotary", frequencies, cos, sin);
        int half = cos.size(1);
        Tasks.rows(workers, cos.size(0), half * 64L, (from, to, _) -> {
            for (int t = from; t < to; t++) {
                for (int i = 0; i < half; i++) {
                    float angle = positions.getInt(t) * (float) frequencies.get(i);
                    cos.set(t * cos.stride(0) + i, Math.cos(angle) * scaling);
                    sin.set(t * sin.stride(0) + i, Math.sin(angle) * scaling);
                }
            }
        });
    }

    @Override
    protected void turn(Tensor x, Tensor cos, Tensor sin, Pairing pairing, boolean backward) {
        Tasks.requireFloats("Rotary", x, cos, sin);
        int half = cos.size(1);
        int apart = pairing == Pairing.INTERLEAVED ? 1 : half;
        int step = pairing == Pairing.INTERLEAVED ? 2 : 1;
        float sign = backward ? -1 : 1;
        Tasks.rows(workers, x.size(0), x.dim(1) * x.dim(2), (from, to, _) -> {
            for (int t = from; t < to; t++) {
                for (int h = 0; h < x.size(1); h++) {
                    long row = t * x.stride(0) + h * x.stride(1);
                    turn(
                            x.memory(),
                            row,
                            cos.memory(),
                            t * cos.stride(0),
                            sin.memory(),
                            t * sin.stride(0),
                            half,
                            apart,
                            step,
                            sign);
                }
            }
        });
    }

    private static void turn(
            MemorySegment x,
            long row,
            MemorySegment cos,
            long cosRow,
            MemorySegment sin,
            long sinRow,
            int half,
            int apart,
            int step,
            float sign) {
        for (int i = 0; i < half; i++) {
            long first = row + (long) i * step;
            float c = cos.getAtIndex(FLOAT, cosRow + i);
            float s = sign * sin.getAtIndex(FLOAT, sinRow + i);
            float x0 = x.getAtIndex(FLOAT, first);
            float x1 = x.getAtIndex(FLOAT, first + apart);
            x.setAtIndex(FLOAT, first, x0 * c - x1 * s);
            x.setAtIndex(FLOAT, first + apart, x1 * c + x0 * s);
        }
    }
}
