package dev.wok.kernel.vector;

import dev.wok.device.Workers;
import dev.wok.kernel.host.HostRouting;
import dev.wok.tensor.Tensor;
import java.lang.foreign.ValueLayout;

final class RoutingVector extends HostRouting {
    RoutingVector(Workers workers) {
        super(workers);
    }

    @Override
    protected void score(Scoring scoring, Tensor logits, Tensor scores, int worker) {
        for (int t = 0; t < scores.size(0); t++) {
            score(scoring, logits.select(0, t).toFloats(), scores.select(0, t));
        }
    }

    private static void score(Scoring scoring, float[] s, Tensor scores) {
        switch (scoring) {
            case SIGMOID -> {
                for (int e = 0; e < s.length; e++) {
                    s[e] = (float) (1 / (1 + Math.exp(-s[e])));
                }
            }
            case SOFTMAX -> {
                float max = Float.NEGATIVE_INFINITY;
                for (float x : s) {
                    max = Math.max(max, x);
                }
                double sum = 0;
                for (int e = 0; e < s.length; e++) {
                    s[e] = (float) Math.exp(s[e] - max);
                    sum += s[e];
                }
                for (int e = 0; e < s.length; e++) {
                    s[e] = (float) (s[e] / sum);
                }
            }
        }
        for (int e = 0; e < s.length; e++) {
            scores.memory().setAtIndex(ValueLayout.JAVA_FLOAT, e, s[e]);
        }
    }
}
