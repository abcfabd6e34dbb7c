package dev.wok.tune;

import dev.wok.model.Batch;
import dev.wok.model.LogitLoss;
import dev.wok.tensor.Tensor;

/// How far a student's distribution S is from a teacher's T, both at a temperature, for a step's
/// targets: D, the mean over the targets.
///
/// D is the generalized Jensen-Shannon divergence (R. Agarwal et al., "On-policy distillation", 2024,
/// eq. 1) as TRL's GKD has it: `beta KL(T || M) + (1 - beta) KL(S || M)` with the mixture
/// `M = beta T + (1 - beta) S`; at beta 0, where that is 0, it is the forward `KL(T || S)`, at beta 1
/// the reverse `KL(S || T)`. It is not multiplied by the temperature's square. All in nats.
///
/// One object serves a step: micro-batches one after another, each with its [LogitLoss]. Probabilities
/// below 1e-300 count as 0. Where a teacher excludes a token that the student does not, the reverse KL
/// is infinite, and its gradient no number.
final class DistillLoss {
    private static final double TINY = 1e-300;

    /// @param beta of the divergence: 0 forward KL, 1 reverse KL, between them mixtures
    /// @param temperature of both, more than 0
    record Options(double beta, double temperature) {}

    /// Where the teacher's logits come from. Called by several threads at once.
    @FunctionalInterface
    interface Teacher {
        /// @param row of the batch
        /// @return logits after that row's token, `[vocab]`
        float[] logits(int row);
    }

    /// Means over the targets shown so far.
    ///
    /// @param loss what is learnt, this part of the step's
    /// @param divergence D
    /// @param crossEntropy on the targets, at temperature 1
    /// @param entropy of the student, at the loss's temperature
    /// @param targets how many
    record Metrics(double loss, double divergence, double crossEntropy, double entropy, long targets) {}

    private record Row(double divergence, double crossEntropy, double entropy) {}

    private final Options options;
    private final long targets;
    private double divergence;
    private double crossEntropy;
    private double entropy;
    private long shown;

    /// @param targets of the whole step
    DistillLoss(Options options, long targets) {
        this.options = options;
        this.targets = targets;
    }

    /// @return the loss of a micro-batch of the step
    LogitLoss on(Batch batch, Teacher teacher) {
        return (rows, logits) -> learn(batch, rows, logits, teacher);
    }

    Metrics metrics() {
        double d = divergence / shown;
        double ce = crossEntropy / shown;
        return new Metrics(divergence / targets, d, ce, entropy / shown, shown);
    }

    private void learn(Batch batch, int[] rows, Tensor logits, Teacher teacher) {
        Row[] results = new Row[rows.length];
        LogitRows.replace(logits, rows.length, (i, row) -> {
            int target = batch.targets()[rows[i]];
            results[i] = learn(row, widened(teacher.logits(rows[i]), row.length), target);
        });
        for (Row result : results) {
            divergence += result.divergence();
            crossEntropy += result.crossEntropy();
            entropy += result.entropy();
        }
        shown += rows.length;
    }

    private Row learn(double[] row, double[] teacherRow, int target) {
        double temperature = options.temperature();
        double[] gradient = new double[row.length];
        Distribution student = new Distribution(row, temperature);
        Distribution teacher = new Distribution(teacherRow, temperature);
        double distance = divergence(student, teacher, gradient);
        Distribution plain = temperature == 1 ? student : new Distribution(row, 1);
        Row result = new Row(distance, -plain.logprob(target), student.entropy());
        double scale = 1 / (temperature * targets);
        for (int i = 0; i < row.length; i++) {
            row[i] = scale * gradient[i];
        }
        return result;
    }

    /// @param gradient written: of the divergence with respect to the student's logits over the
    ///     temperature
    private double divergence(Distribution student, Distribution teacher, double[] gradient) {
        if (options.beta() == 0) {
            return forward(student, teacher, gradient);
        }
        return options.beta() == 1 ? reverse(student, teacher, gradient) : mixed(student, teacher, gradient);
    }

    private static double forward(Distribution student, Distribution teacher, double[] gradient) {
        double sum = 0;
        for (int i = 0; i < gradient.length; i++) {
            double t = teacher.probability(i);
            sum += t < TINY ? 0 : t * (teacher.logprob(i) - student.logprob(i));
            gradient[i] = student.probability(i) - t;
        }
        return sum;
    }

    private static double reverse(Distribution student, Distribution teacher, double[] gradient) {
        double sum = 0;
        for (int i = 0; i < gradient.length; i++) {
            double s = student.probability(i);
            gradient[i] = s < TINY ? 0 : s * (student.logprob(i) - teacher.logprob(i));
            sum += gradient[i];
        }
        for (int i = 0; i < gradient.length; i++) {
            gradient[i] -= student.probability(i) * sum;
        }
        return sum;
    }

    /* With g_i = dD/ds_i = (1 - beta) ln(s_i / m_i), up to a constant that softmax takes away: the two terms that come
     * from M add up to -(1 - beta) for each i.
     */
    private double mixed(Distribution student, Distribution teacher, double[] gradient) {
        double beta = options.beta();
        double ofTeacher = 0;
        double ofStudent = 0;
        for (int i = 0; i < gradient.length; i++) {
            double s = student.probability(i);
            double t = teacher.probability(i);
            double mixture = Math.log(beta * t + (1 - beta) * s);
            ofTeacher += t < TINY ? 0 : t * (teacher.logprob(i) - mixture);
            gradient[i] = s < TINY ? 0 : s * (student.logprob(i) - mixture);
            ofStudent += gradient[i];
        }
        for (int i = 0; i < gradient.length; i++) {
            gradient[i] = (1 - beta) * (gradient[i] - student.probability(i) * ofStudent);
        }
        return beta * ofTeacher + (1 - beta) * ofStudent;
    }

    private static double[] widened(float[] logits, int vocabulary) {
        if (logits.length != vocabulary) {
            throw new IllegalArgumentException(
                    "the teacher gives %d logits, the student %d".formatted(logits.length, vocabulary));
        }
        double[] values = new double[vocabulary];
        for (int i = 0; i < vocabulary; i++) {
            values[i] = logits[i];
        }
        return values;
    }
}
