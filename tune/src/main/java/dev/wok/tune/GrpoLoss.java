package dev.wok.tune;

import dev.wok.model.Batch;
import dev.wok.model.LogitLoss;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.OptionalDouble;
import org.jspecify.annotations.Nullable;

/// The loss of group relative policy optimization (DeepSeekMath, eq. 3) over a step's answers:
/// `-sum_t w_t (c_t min(r_t A, clip(r_t, 1 - low, 1 + high) A) - beta D_t)`, with r the ratio of the
/// policy's probability to that of the policy that is taken as old, A the answer's advantage, D an
/// estimate of the KL divergence from the reference, w what [Aggregation] says, and c the truncated
/// importance weight, 1 where there is none.
///
/// Logarithms of ratios are cut at ±20, beyond which they have no slope; so infinite ones do no harm.
/// The divergence is of tokens, whatever the ratio is of. All probabilities are at one temperature, the
/// sampler's as a rule; importance weights and the comparison with the sampler are at temperature 1.
/// Arithmetic is in double precision; logarithms are natural.
///
/// One object serves a step: micro-batches one after another, each with its [LogitLoss].
final class GrpoLoss {
    /// How tokens count.
    enum Aggregation {
        /// GRPO: a mean over each answer's tokens, and over the answers of that.
        SEQ_MEAN_TOKEN_MEAN,
        /// DAPO: a mean over all tokens of the step.
        TOKEN_MEAN,
        /// A sum over each answer's tokens, a mean over the answers.
        SEQ_MEAN_TOKEN_SUM,
        /// Dr. GRPO: that over the most tokens that an answer may have.
        SEQ_MEAN_TOKEN_SUM_NORM
    }

    /// What the ratio compares.
    enum Ratio {
        /// Each token.
        TOKEN,
        /// The whole answer (DeepSeek-R1, eq. 1): the product of its tokens' ratios, for all of them.
        SEQUENCE,
        /// The geometric mean of the answer's tokens' ratios (GSPO), for all of them.
        SEQUENCE_MEAN
    }

    /// Estimates of KL(policy || reference) from a token that was drawn (J. Schulman, 2020), with
    /// `d = ln reference - ln policy`.
    enum Estimator {
        /// `-d`
        K1,
        /// `d^2 / 2`
        K2,
        /// `e^d - d - 1`
        K3,
        /// K3's value with K2's gradient, which is the divergence's in expectation.
        K3_PLUS
    }

    /// @param clipLow how far below 1 the ratio has slope
    /// @param clipHigh how far above
    /// @param ratio what it compares
    /// @param beta the divergence's weight
    /// @param estimator of the divergence
    /// @param cut whether d is cut at ±20 and K3 at ±10, beyond which they have no slope
    /// @param aggregation how tokens count
    /// @param longest most tokens of an answer, for [Aggregation#SEQ_MEAN_TOKEN_SUM_NORM]
    /// @param truncation most that the importance weight of a token, the trainer's probability of it
    ///     over the sampler's, may be; empty for weights of 1; only with ratios of tokens
    /// @param temperature of the probabilities
    record Options(
            double clipLow,
            double clipHigh,
            Ratio ratio,
            double beta,
            Estimator estimator,
            boolean cut,
            Aggregation aggregation,
            int longest,
            OptionalDouble truncation,
            double temperature) {
        Options {
            if (truncation.isPresent() && ratio != Ratio.TOKEN) {
                throw new IllegalArgumentException("truncated importance weights are of tokens, the ratio is " + ratio);
            }
        }
    }

    /// An answer as the loss sees it. Log-probabilities are of its tokens in order.
    ///
    /// @param advantage of all of its tokens
    /// @param sampled the sampler's, at temperature 1
    /// @param old of the policy that is taken as old; null where that is the present one, whose ratios
    ///     are 1
    /// @param present of the policy that learns; needed for ratios of sequences where there is an old
    ///     one, because an answer's logits come some at a time
    /// @param reference null where there is none
    record Answer(
            double advantage,
            double[] sampled,
            @Nullable Logprobs old,
            @Nullable Logprobs present,
            @Nullable Logprobs reference) {
        Answer {
            requireLength(old, sampled.length);
            requireLength(present, sampled.length);
            requireLength(reference, sampled.length);
        }

        private static void requireLength(@Nullable Logprobs given, int expected) {
            if (given != null && given.raw().length != expected) {
                throw new IllegalArgumentException(
                        "%d log-probabilities for an answer of %d tokens".formatted(given.raw().length, expected));
            }
        }
    }

    /// What was seen so far; means are over tokens.
    ///
    /// @param loss this part of the step's
    /// @param kl mean of the estimate; empty where there is no reference
    /// @param entropy mean, in nats, at the loss's temperature
    /// @param clippedLow share of tokens whose ratio is too low to have slope
    /// @param clippedHigh share of tokens whose ratio is too high to have slope
    /// @param ratio mean
    /// @param largestDifference of the trainer's log-probability and the sampler's, at temperature 1
    /// @param meanDifference of these, absolute
    /// @param tokens how many
    record Metrics(
            double loss,
            OptionalDouble kl,
            double entropy,
            double clippedLow,
            double clippedHigh,
            double ratio,
            double largestDifference,
            double meanDifference,
            long tokens) {}

    private record Token(
            double loss,
            double slope,
            double kl,
            boolean hasKl,
            double entropy,
            double ratio,
            boolean low,
            boolean high,
            double difference) {}

    private static final double MOST = 20;
    private static final double MOST_KL = 10;

    private final Options options;
    private final int answers;
    private final long tokens;

    private double loss;
    private double kl;
    private long kls;
    private double entropy;
    private double ratios;
    private long low;
    private long high;
    private double largestDifference;
    private double differences;
    private long shown;

    /// @param answers of the whole step
    /// @param tokens of all of them
    GrpoLoss(Options options, int answers, long tokens) {
        this.options = options;
        this.answers = answers;
        this.tokens = tokens;
    }

    /// @param texts the batch's answers, one for each text, in order; all of an answer's tokens are
    ///     targets
    /// @return the loss of a micro-batch of the step
    LogitLoss on(Batch batch, List<Answer> texts) {
        Targets targets = Targets.of(batch);
        double[] logRatios = new double[texts.size()];
        require(texts.size() == targets.size(), "%d answers for %d texts", texts.size(), targets.size());
        for (int i = 0; i < logRatios.length; i++) {
            Answer answer = texts.get(i);
            int given = answer.sampled().length;
            require(given == targets.counts()[i], "an answer of %d tokens for %d targets", given, targets.counts()[i]);
            logRatios[i] = options.ratio() == Ratio.TOKEN ? 0 : logRatio(answer);
        }
        return (rows, logits) -> learn(targets, texts, logRatios, rows, logits);
    }

    private static void require(boolean holds, String message, int given, int expected) {
        if (!holds) {
            throw new IllegalArgumentException(message.formatted(given, expected));
        }
    }

    private double logRatio(Answer answer) {
        if (answer.old() == null) {
            return 0;
        }
        if (answer.present() == null) {
            throw new IllegalArgumentException("a sequence's ratio needs the present log-probabilities of all of it");
        }
        double sum = 0;
        for (int i = 0; i < answer.sampled().length; i++) {
            sum += answer.present().tempered()[i] - answer.old().tempered()[i];
        }
        return options.ratio() == Ratio.SEQUENCE ? sum : sum / answer.sampled().length;
    }

    private void learn(Targets targets, List<Answer> texts, double[] logRatios, int[] rows, Tensor logits) {
        Token[] results = new Token[rows.length];
        LogitRows.replace(logits, rows.length, (i, row) -> {
            int text = targets.texts()[rows[i]];
            int id = targets.ids()[rows[i]];
            Distribution policy = new Distribution(row, options.temperature());
            double raw = (options.temperature() == 1 ? policy : new Distribution(row, 1)).logprob(id);
            results[i] = token(texts.get(text), targets.places()[rows[i]], policy, raw, id, logRatios[text]);
            policy.gradient(results[i].slope(), id, row);
        });
        for (Token result : results) {
            add(result);
        }
    }

    private Token token(Answer answer, int place, Distribution policy, double raw, int id, double ofSequence) {
        double logprob = policy.logprob(id);
        double logRatio = ofSequence;
        if (options.ratio() == Ratio.TOKEN && answer.old() != null) {
            logRatio = logprob - answer.old().tempered()[place];
        }
        double weight = weight(answer.sampled().length);
        double advantage = answer.advantage();
        double ratio = Math.exp(Math.clamp(logRatio, -MOST, MOST));
        double free = ratio * advantage;
        double clipped = Math.clamp(ratio, 1 - options.clipLow(), 1 + options.clipHigh()) * advantage;
        double slope = free > clipped || Math.abs(logRatio) > MOST ? 0 : free * reach(answer);
        double importance = importance(answer, place, raw);
        double value = -importance * Math.min(free, clipped);
        slope = -importance * slope;
        double divergence = 0;
        if (answer.reference() != null) {
            double d = answer.reference().tempered()[place] - logprob;
            divergence = kl(d);
            if (options.beta() != 0) {
                value += options.beta() * divergence;
                slope += options.beta() * klSlope(d);
            }
        }
        return new Token(
                weight * value,
                weight * slope,
                divergence,
                answer.reference() != null,
                policy.entropy(),
                ratio,
                ratio < 1 - options.clipLow() && advantage < 0,
                ratio > 1 + options.clipHigh() && advantage > 0,
                Math.abs(raw - answer.sampled()[place]));
    }

    private double weight(int length) {
        return switch (options.aggregation()) {
            case SEQ_MEAN_TOKEN_MEAN -> 1.0 / answers / length;
            case TOKEN_MEAN -> 1.0 / tokens;
            case SEQ_MEAN_TOKEN_SUM -> 1.0 / answers;
            case SEQ_MEAN_TOKEN_SUM_NORM -> 1.0 / answers / options.longest();
        };
    }

    /// How often a token's log-probability moves a ratio, over the answer's tokens: once, in its own;
    /// in all of them; or in all of them by one part.
    private double reach(Answer answer) {
        return switch (options.ratio()) {
            case TOKEN, SEQUENCE_MEAN -> 1;
            case SEQUENCE -> answer.sampled().length;
        };
    }

    private double importance(Answer answer, int place, double raw) {
        if (options.truncation().isEmpty()) {
            return 1;
        }
        double trainer = answer.old() == null ? raw : answer.old().raw()[place];
        return Math.min(
                Math.exp(trainer - answer.sampled()[place]),
                options.truncation().getAsDouble());
    }

    private double kl(double given) {
        double d = options.cut() ? Math.clamp(given, -MOST, MOST) : given;
        return switch (options.estimator()) {
            case K1 -> -d;
            case K2 -> d * d / 2;
            case K3, K3_PLUS -> options.cut() ? Math.min(k3(d), MOST_KL) : k3(d);
        };
    }

    /// The estimate's slope by the policy's log-probability.
    private double klSlope(double d) {
        boolean flat = options.cut() && Math.abs(d) > MOST;
        return switch (options.estimator()) {
            case K1 -> flat ? 0 : 1;
            case K2, K3_PLUS -> flat ? 0 : -d;
            case K3 -> flat || (options.cut() && k3(d) > MOST_KL) ? 0 : -Math.expm1(d);
        };
    }

    private static double k3(double d) {
        return Math.expm1(d) - d;
    }

    private void add(Token token) {
        loss += token.loss();
        kl += token.kl();
        kls += token.hasKl() ? 1 : 0;
        entropy += token.entropy();
        ratios += token.ratio();
        low += token.low() ? 1 : 0;
        high += token.high() ? 1 : 0;
        largestDifference = Math.max(largestDifference, token.difference());
        differences += token.difference();
        shown++;
    }

    Metrics metrics() {
        return new Metrics(
                loss,
                kls == 0 ? OptionalDouble.empty() : OptionalDouble.of(kl / kls),
                entropy / shown,
                (double) low / shown,
                (double) high / shown,
                ratios / shown,
                largestDifference,
                differences / shown,
                shown);
    }
}
