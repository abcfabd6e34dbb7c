package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.GradCheck;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import dev.wok.tune.DistillLoss.Options;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class DistillLossTest {
    private static final int[][] TEXTS = {{1, 1}, {2, 3}, {1, 2}};
    private final Shown student = Shown.random(31, 7, 1.5, TEXTS);
    private final Shown teacher = Shown.random(32, 7, 1.5, TEXTS);

    private static DistillLoss.Teacher rows(Shown teacher) {
        return row -> teacher.logits()
                .select(0, Arrays.binarySearch(teacher.rows(), row))
                .toFloats();
    }

    @Test
    void agreesWithTheLossWrittenOut() {
        for (double beta : new double[] {0, 0.2, 0.9, 1}) {
            for (double temperature : new double[] {1, 2.5}) {
                agrees(new Options(beta, temperature));
            }
        }
    }

    private void agrees(Options options) {
        DistillLoss loss = new DistillLoss(options, 6);
        Tensor gradient = student.gradient(loss.on(student.batch(), rows(teacher)), DType.F64, 4);
        assertEquals(written(options), loss.metrics().loss(), 1e-14);
        assertEquals(6, loss.metrics().targets());
        GradCheck.check(options.toString(), student.logits(), gradient, () -> written(options), 1000, 1);
        DistillLoss narrow = new DistillLoss(options, 6);
        assertArrayEquals(
                gradient.toFloats(),
                student.gradient(narrow.on(student.batch(), rows(teacher)), DType.F32)
                        .toFloats());
        assertEquals(loss.metrics(), narrow.metrics());
    }

    private double written(Options options) {
        double loss = 0;
        for (int row = 0; row < 6; row++) {
            double[] s = student.probabilities(row, options.temperature());
            double[] t = teacher.probabilities(row, options.temperature());
            double[] m = new double[7];
            for (int i = 0; i < 7; i++) {
                m[i] = options.beta() * t[i] + (1 - options.beta()) * s[i];
            }
            double divergence = options.beta() * kl(t, m) + (1 - options.beta()) * kl(s, m);
            if (options.beta() == 0) {
                divergence = kl(t, s);
            } else if (options.beta() == 1) {
                divergence = kl(s, t);
            }
            loss += divergence / 6;
        }
        return loss;
    }

    private static double kl(double[] of, double[] from) {
        double sum = 0;
        for (int i = 0; i < of.length; i++) {
            sum += of[i] * Math.log(of[i] / from[i]);
        }
        return sum;
    }

    /// What TRL 1.13's GKDTrainer.generalized_jsd_loss gives in float64 at temperature 2, and its
    /// gradient's norm.
    @Test
    void agreesWithTrl() {
        int[][] texts = {{1, 9}};
        Shown given = Shown.of(5, i -> (3 * i + 1) % 5, i -> (37 * i % 19 - 9) / 4.0, texts);
        Shown taught = Shown.of(5, i -> 0, i -> (23 * i % 17 - 8) / 4.0, texts);
        double[][] trl = {
            {0, 0.17780813292200437, 0.045899668851059075},
            {0.1, 0.01587810047178476, 0.004030875920541387},
            {0.5, 0.04378715709784779, 0.010756519859006015},
            {1, 0.18262854795484407, 0.04573063029298171}
        };
        for (double[] expected : trl) {
            DistillLoss loss = new DistillLoss(new Options(expected[0], 2), 9);
            Tensor gradient = given.gradient(loss.on(given.batch(), rows(taught)), DType.F64);
            assertEquals(expected[1], loss.metrics().loss(), 1e-15);
            assertEquals(expected[2], Shown.norm(gradient), 1e-15);
        }
    }

    @Test
    void theSameDistributionTeachesNothing() {
        for (double beta : new double[] {0, 0.5, 1}) {
            DistillLoss loss = new DistillLoss(new Options(beta, 1), 6);
            Tensor gradient = student.gradient(loss.on(student.batch(), rows(student)), DType.F64);
            assertEquals(0, loss.metrics().divergence(), 1e-15);
            assertEquals(0, Shown.norm(gradient), 1e-15);
        }
    }

    @Test
    void extremesStayFinite() {
        Shown far = Shown.random(3, 6, 400, TEXTS);
        Shown other = Shown.random(4, 6, 400, TEXTS);
        for (double beta : new double[] {0, 0.5, 1}) {
            DistillLoss loss = new DistillLoss(new Options(beta, 1), 6);
            Tensor gradient = far.gradient(loss.on(far.batch(), rows(other)), DType.F32);
            assertTrue(Arrays.stream(Tensors.values(gradient)).allMatch(Double::isFinite));
            assertTrue(Double.isFinite(loss.metrics().loss()));
        }
    }

    @Test
    void refusesAnotherVocabulary() {
        DistillLoss loss = new DistillLoss(new Options(0, 1), 6);
        assertTrue(Thrown.message(
                        IllegalArgumentException.class,
                        () -> student.gradient(loss.on(student.batch(), row -> new float[8]), DType.F64))
                .contains("the teacher gives 8 logits, the student 7"));
    }
}
