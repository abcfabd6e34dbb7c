package dev.wok.bench;

import dev.wok.device.HostDevice;
import dev.wok.device.Memory;
import dev.wok.kernel.Kernels;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/// Limits of this machine, measured: what a fused multiply-add loop in registers reaches, and what the largest matrix
/// products reach.
final class Peak {
    private static final VectorSpecies<Float> FLOATS = FloatVector.SPECIES_PREFERRED;
    private static final int LOOPS = 2_000_000;
    private static final int TRIES = 8;

    private Peak() {}

    /// @return GFLOP/s of float32 multiply-adds on all of the device's threads, nothing read from memory
    static double multiplyAdds(HostDevice device) {
        int threads = device.workers().count();
        float[] sink = new float[threads];
        double best = 0;
        for (int i = 0; i < TRIES; i++) {
            long begin = System.nanoTime();
            device.workers().run(threads, (task, _) -> sink[task] += chains(LOOPS, task + 1));
            double seconds = (System.nanoTime() - begin) * 1e-9;
            best = Math.max(best, 2.0 * 12 * FLOATS.length() * LOOPS * threads / seconds * 1e-9);
        }
        // Twelve chains that each end at 1 / (1 - 0.999), as often as was tried.
        if (sink[0] < TRIES * 12 * 990) {
            throw new IllegalStateException("the chains sum to %s: some of the work was left out".formatted(sink[0]));
        }
        return best;
    }

    /// Twelve chains: enough to hide the latency of two units.
    private static float chains(int loops, float start) {
        FloatVector x = FloatVector.broadcast(FLOATS, 0.999f);
        FloatVector y = FloatVector.broadcast(FLOATS, start);
        FloatVector a = y, b = y, c = y, d = y, e = y, f = y;
        FloatVector g = y, h = y, i = y, j = y, k = y, l = y;
        for (int n = 0; n < loops; n++) {
            a = a.fma(x, y);
            b = b.fma(x, y);
            c = c.fma(x, y);
            d = d.fma(x, y);
            e = e.fma(x, y);
            f = f.fma(x, y);
            g = g.fma(x, y);
            h = h.fma(x, y);
            i = i.fma(x, y);
            j = j.fma(x, y);
            k = k.fma(x, y);
            l = l.fma(x, y);
        }
        FloatVector sum = a.add(b).add(c).add(d).add(e).add(f);
        return sum.add(g).add(h).add(i).add(j).add(k).add(l).lane(0);
    }

    /// @return GFLOP/s of the best of several products `[n, n] [n, n]^T`
    static double matmul(Kernels kernels, int n) {
        try (Memory memory = kernels.stream().device().memory()) {
            Tensor a = random(memory, n, 1);
            Tensor b = random(memory, n, 2);
            Tensor c = memory.tensor(DType.F32, n, n);
            double best = 0;
            for (int i = 0; i < TRIES; i++) {
                long begin = System.nanoTime();
                kernels.matmul().nt(a, b, c, false);
                kernels.stream().synchronize();
                best = Math.max(best, 2.0 * n * n * n / (System.nanoTime() - begin));
            }
            return best;
        }
    }

    private static Tensor random(Memory memory, int n, long seed) {
        Tensor tensor = memory.tensor(DType.F32, n, n);
        Rng rng = new Rng(seed);
        for (long i = 0; i < tensor.elements(); i++) {
            tensor.set(i, rng.uniform(i) - 0.5);
        }
        return tensor;
    }
}
