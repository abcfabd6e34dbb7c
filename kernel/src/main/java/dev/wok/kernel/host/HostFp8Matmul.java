package dev.wok.kernel.host;

import dev.wok.device.Workers;
import dev.wok.kernel.Fp8Matmul;
import dev.wok.tensor.Tensor;

/// Processors have no instructions for E4M3: plain loops over numbers looked up in a table, rows spread over the
/// workers.
public final class HostFp8Matmul extends Fp8Matmul {
    private final Workers workers;

    public HostFp8Matmul(Workers workers) {
        this.workers = workers;
    }

    @Override
    protected void round(Tensor x, Tensor values, Tensor scales) {
        Tasks.requireFloats("Fp8Matmul", scales);
        Tasks.rows(workers, x.size(0), x.dim(1), (from, to, _) -> {
            for (int row = from; row < to; row++) {
                for (long group = 0; group < scales.dim(1); group++) {
                    roundGroup(x, values, scales, row, group);
                }
            }
        });
    }

    @Override
    protected void multiply(Tensor a, Tensor aScales, Tensor b, Tensor bScales, Tensor c) {
        Tasks.requireFloats("Fp8Matmul", c);
        int rows = c.size(0);
        float[][] left = new float[rows][];
        float[][] leftScales = new float[rows][];
        for (int i = 0; i < rows; i++) {
            left[i] = a.select(0, i).toFloats();
            leftScales[i] = aScales.select(0, i).toFloats();
        }
        Tasks.rows(workers, c.size(1), (long) rows * a.dim(1), (from, to, _) -> {
            for (int j = from; j < to; j++) {
                float[] right = b.select(0, j).toFloats();
                float[] scales = bScales.select(0, j / GROUP).toFloats();
                for (int i = 0; i < rows; i++) {
                    c.set(c.offset(i, j), dot(left[i], leftScales[i], right, scales));
                }
            }
        });
    }

    private static float dot(float[] left, float[] leftScales, float[] right, float[] rightScales) {
        float total = 0;
        for (int g = 0; g < leftScales.length; g++) {
            float sum = 0;
            for (int p = g * GROUP; p < Math.min(left.length, (g + 1) * GROUP); p++) {
                sum += left[p] * right[p];
            }
            total += sum * (leftScales[g] * rightScales[g]);
        }
        return total;
    }
}
