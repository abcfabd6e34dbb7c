package dev.wok.tune;

import dev.wok.model.Batch;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.OptionalDouble;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// What a step learns from its groups: one update or several, on all of them or on a part, and
/// figures of that.
final class GrpoUpdates {
    private final Learner learner;
    private final @Nullable Reference reference;
    private final Settings.GrpoKeys keys;
    private final long step;
    private final double learningRate;
    private final List<GrpoLoss.Metrics> metrics = new ArrayList<>();
    private double gradNorm;

    /// An answer with its advantage, and what other policies say of it.
    private record Drawn(
            Rollout rollout,
            double advantage,
            @Nullable Logprobs old,
            @Nullable Logprobs reference) {}

    GrpoUpdates(
            Learner learner, @Nullable Reference reference, Settings.GrpoKeys keys, long step, double learningRate) {
        this.learner = learner;
        this.reference = reference;
        this.keys = keys;
        this.step = step;
        this.learningRate = learningRate;
    }

    /// Stops at the first update whose loss or norm is no number, and does not apply it.
    ///
    /// @param groups answers by question
    /// @param advantages of each
    void run(List<List<Rollout>> groups, List<double[]> advantages) {
        List<Drawn> all = drawn(groups, advantages);
        int answers = all.size() / keys.miniBatches();
        long updates = (long) keys.innerEpochs() * keys.miniBatches();
        long update = (step - 1) * updates;
        for (int epoch = 0; epoch < keys.innerEpochs(); epoch++) {
            for (int part = 0; part < keys.miniBatches(); part++) {
                if (!learn(all.subList(part * answers, (part + 1) * answers), ++update)) {
                    return;
                }
            }
        }
    }

    private List<Drawn> drawn(List<List<Rollout>> groups, List<double[]> advantages) {
        List<Rollout> rollouts = groups.stream().flatMap(List::stream).toList();
        List<Logprobs> old = new ArrayList<>();
        List<Logprobs> references = new ArrayList<>();
        boolean several = keys.innerEpochs() * keys.miniBatches() > 1;
        boolean bySampler = keys.oldLogprobs().equals("sampler") && keys.temperature() == 1;
        List<Packed> packed = pack(rollouts);
        if (several && !bySampler) {
            packed.forEach(one -> old.addAll(present(one)));
        }
        if (reference != null) {
            List<Batch> batches = packed.stream().map(Packed::batch).toList();
            reference.logprobs(batches, keys.temperature()).forEach(references::addAll);
        }
        List<Drawn> all = new ArrayList<>();
        int i = 0;
        for (int group = 0; group < groups.size(); group++) {
            for (int answer = 0; answer < groups.get(group).size(); answer++, i++) {
                double[] sampled = rollouts.get(i).logprobs();
                Logprobs before = bySampler ? new Logprobs(sampled, sampled) : several ? old.get(i) : null;
                all.add(new Drawn(
                        rollouts.get(i),
                        advantages.get(group)[answer],
                        before,
                        reference == null ? null : references.get(i)));
            }
        }
        return all;
    }

    private List<Packed> pack(List<Rollout> rollouts) {
        return Packed.of(rollouts.stream().map(Rollout::example).toList(), learner.tokens());
    }

    /// @return whether the update was applied
    private boolean learn(List<Drawn> part, long update) {
        GrpoLoss loss = new GrpoLoss(
                options(),
                part.size(),
                part.stream().mapToLong(d -> d.rollout.answer().length).sum());
        learner.begin();
        for (Packed packed : pack(part.stream().map(Drawn::rollout).toList())) {
            learner.accumulate(packed.batch(), loss.on(packed.batch(), answers(part, packed)));
        }
        metrics.add(loss.metrics());
        if (!Double.isFinite(loss.metrics().loss())) {
            return false;
        }
        gradNorm = Math.max(gradNorm, learner.update(update, learningRate));
        return Double.isFinite(gradNorm);
    }

    private List<GrpoLoss.Answer> answers(List<Drawn> part, Packed packed) {
        // Without an old policy ratios are 1.
        boolean ofTexts = ratio() != GrpoLoss.Ratio.TOKEN && part.getFirst().old != null;
        List<Logprobs> present = ofTexts ? present(packed) : List.of();
        List<GrpoLoss.Answer> answers = new ArrayList<>();
        for (int i = 0; i < packed.examples().size(); i++) {
            Drawn drawn = part.get(packed.examples().get(i));
            answers.add(new GrpoLoss.Answer(
                    drawn.advantage,
                    drawn.rollout.logprobs(),
                    drawn.old,
                    present.isEmpty() ? null : present.get(i),
                    drawn.reference));
        }
        return answers;
    }

    private List<Logprobs> present(Packed packed) {
        Scoring scoring = new Scoring(packed.batch(), keys.temperature());
        learner.score(packed.batch(), scoring);
        return scoring.texts();
    }

    private GrpoLoss.Ratio ratio() {
        return Words.constant("ratio", GrpoLoss.Ratio.class, keys.ratio());
    }

    private GrpoLoss.Options options() {
        return new GrpoLoss.Options(
                keys.clipLow(),
                keys.clipHigh(),
                ratio(),
                keys.beta(),
                Words.constant("kl_estimator", GrpoLoss.Estimator.class, keys.klEstimator()),
                keys.clampKl(),
                Words.constant("loss_aggregation", GrpoLoss.Aggregation.class, keys.lossAggregation()),
                keys.maxNewTokens(),
                keys.importanceCap() > 0 ? OptionalDouble.of(keys.importanceCap()) : OptionalDouble.empty(),
                keys.temperature());
    }

    /// @return of the updates: means, the largest difference and the largest norm
    SequencedMap<String, Object> figures() {
        SequencedMap<String, Object> line = new LinkedHashMap<>();
        line.put("loss", mean(GrpoLoss.Metrics::loss));
        line.put("grad_norm", gradNorm);
        if (reference != null) {
            line.put("kl", mean(m -> m.kl().orElse(0)));
        }
        line.put("entropy", mean(GrpoLoss.Metrics::entropy));
        line.put("clipped_low", mean(GrpoLoss.Metrics::clippedLow));
        line.put("clipped_high", mean(GrpoLoss.Metrics::clippedHigh));
        line.put("ratio", mean(GrpoLoss.Metrics::ratio));
        line.put(
                "sampler_difference",
                metrics.stream()
                        .mapToDouble(GrpoLoss.Metrics::meanDifference)
                        .average()
                        .orElse(0));
        line.put(
                "sampler_difference_largest",
                metrics.stream()
                        .mapToDouble(GrpoLoss.Metrics::largestDifference)
                        .max()
                        .orElse(0));
        return line;
    }

    private double mean(java.util.function.ToDoubleFunction<GrpoLoss.Metrics> figure) {
        return metrics.stream().mapToDouble(figure).average().orElse(0);
    }
}
