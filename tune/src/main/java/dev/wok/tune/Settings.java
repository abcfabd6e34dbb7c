package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.train.Compute;
import dev.wok.train.Key;
import dev.wok.train.SettingKeys;
import dev.wok.train.Settings.Optimizer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;

/// Every setting of a post-training run, under flat keys in snake_case: those of its method, then
/// optimizer, adapter, guards, compute and run. Each method has its usual values in a file that says
/// why; options change some.
///
/// Each value is checked against its range as it is read; a contradiction is a [BadInput] that names
/// the keys.
///
/// @param method of the method alone
/// @param <K> which method's
public record Settings<K extends Record>(
        K method, Optimizer optimizer, Adapter adapter, Limits limits, Compute compute, RunKeys run) {
    /// The methods that learn.
    public enum Kind {
        SFT(SftKeys.class),
        DPO(DpoKeys.class),
        GRPO(GrpoKeys.class),
        DISTILL(DistillKeys.class);

        private final Class<? extends Record> method;
        private final SettingKeys keys;

        Kind(Class<? extends Record> method) {
            this.method = method;
            keys = new SettingKeys(
                    "wok %s --settings".formatted(text()),
                    List.of(method, Optimizer.class, Adapter.class, Limits.class, Compute.class, RunKeys.class));
        }

        /// @return as commands and files write it, such as `grpo`
        public String text() {
            return name().toLowerCase(Locale.ROOT);
        }

        /// @param method the record of a method's own settings
        static Kind of(Class<? extends Record> method) {
            return Arrays.stream(values())
                    .filter(kind -> kind.method.equals(method))
                    .findFirst()
                    .orElseThrow(() -> new IllegalStateException("no method has " + method));
        }
    }

    /// What is adapted, where not all weights move (LoRA, Hu et al. 2021).
    public record Adapter(
            @Key("rank of the adapters; 0 to train all weights instead")
            int loraRank,

            @Key(value = "their product is scaled by this over the rank", min = 1e-6)
            double loraAlpha,

            @Key("what is adapted: names of linear layers as in PEFT, or all-linear")
            List<String> loraTargets) {
        /// @return what is adapted, or nothing where all weights move
        Optional<Lora> lora() {
            return loraRank == 0 ? Optional.empty() : Optional.of(new Lora(loraRank, loraAlpha, loraTargets, false));
        }
    }

    /// When a run is stopped, at its last checkpoint: each limit must be passed in so many steps in a
    /// row, and 0 turns it off. A reward that stays flat where it is the best so far ends the run
    /// early instead, as finished.
    public record Limits(
            @Key(value = "steps in a row that pass a limit before it counts", min = 1, free = true)
            int patience,

            @Key(
                    value = "KL from the reference, in nats per token, above which the run is stopped; 0 for none",
                    free = true)
            double maxKl,

            @Key(
                    value = "share of the first steps' entropy below which the run is stopped; 0 for none",
                    max = 1,
                    free = true)
            double minEntropyShare,

            @Key(value = "gradient norm above which the run is stopped; 0 for none", free = true)
            double maxGradNorm,

            @Key(
                    value =
                            "steps in a row without any difference of rewards after which the run is stopped; 0 for none",
                    free = true)
            long flatRewardSteps) {}

    /// What is about the run and not about the method.
    public record RunKeys(
            @Key(value = "tokens computed together; changes memory and rounding, no more", min = 2)
            int microBatchTokens,

            @Key(value = "steps between checkpoints; 0 for one at the end", free = true)
            long checkpointEvery,

            @Key(value = "checkpoints that are kept", min = 1, free = true)
            int keepCheckpoints,

            @Key(value = "steps between evaluations; 0 for one at the beginning and one at the end", free = true)
            long evaluateEvery,

            @Key(value = "steps between samples in the report; 0 for none", free = true)
            long sampleEvery) {}

    /// Fine-tuning on texts.
    public record SftKeys(
            @Key(value = "times that all examples are seen", min = 1e-6)
            double epochs,

            @Key(value = "examples in a step", min = 1) int batchExamples,

            @Key(value = "most tokens of an example, within the model's context", min = 2)
            int sequenceLength,

            @Key(
                    value = "what is learnt: what the model is to answer, or all of a text",
                    oneOf = {"answers", "all"})
            String learn,

            @Key(
                    value = "what becomes of an example that is longer",
                    oneOf = {"cut", "drop"})
            String tooLong,

            @Key(value = "share of the examples that is held out", max = 0.5)
            double heldOut) {}

    /// Direct preference optimization (Rafailov et al. 2023).
    public record DpoKeys(
            @Key(value = "times that all pairs are seen", min = 1e-6)
            double epochs,

            @Key(value = "pairs in a step", min = 1) int batchExamples,

            @Key(value = "most tokens of an example, within the model's context", min = 2)
            int sequenceLength,

            @Key(
                    value = "what becomes of a pair that is longer",
                    oneOf = {"cut", "drop"})
            String tooLong,

            @Key(value = "share of the pairs that is held out", max = 0.5)
            double heldOut,

            @Key(value = "how strongly the reference holds", min = 1e-6)
            double beta,

            @Key(value = "share of the pairs that are taken to be the wrong way round", max = 0.499999)
            double labelSmoothing) {}

    /// Learning from rewards over groups of answers (GRPO, Shao et al. 2024), and what came after.
    public record GrpoKeys(
            @Key("built-in task or a .jsonl file of problems")
            String task,

            @Key("rewards and their weights, such as accuracy:1,format:0.2")
            List<String> reward,

            @Key(
                    value = "how a question is put",
                    oneOf = {"plain", "chat", "r1_zero"})
            String promptForm,

            @Key(value = "batches of answers that are learnt from", min = 1)
            long steps,

            @Key(value = "questions in a step", min = 1) int promptsPerStep,

            @Key(value = "answers to a question", min = 2) int groupSize,

            @Key(value = "times that a step's answers are learnt from", min = 1)
            int innerEpochs,

            @Key(value = "updates in each of these times", min = 1)
            int miniBatches,

            @Key(value = "most tokens of an answer", min = 1)
            int maxNewTokens,

            @Key(value = "temperature at which answers are drawn", min = 1e-3)
            double temperature,

            @Key("how far below 1 a ratio of probabilities counts")
            double clipLow,

            @Key("how far above 1 a ratio of probabilities counts")
            double clipHigh,

            @Key("weight of the KL from the reference; 0 for no reference")
            double beta,

            @Key(
                    value = "estimator of that KL",
                    oneOf = {"k1", "k2", "k3", "k3+"})
            String klEstimator,

            @Key("whether that estimate is cut at 10, and its logarithm of a ratio at 20, as verl does")
            boolean clampKl,

            @Key(
                    value =
                            "what a ratio is of: a token, a whole answer as in R1's report, or its mean token as in GSPO",
                    oneOf = {"token", "sequence", "sequence-mean"})
            String ratio,

            @Key("most that a token's probability by the trainer over the sampler's may weigh; 0 for no such weight")
            double importanceCap,

            @Key("steps after which the reference is replaced by the model; 0 for never")
            long referenceEvery,

            @Key(
                    value =
                            "how tokens count: as in GRPO (seq-mean-token-mean), DAPO (token-mean), Dr. GRPO (...-norm)",
                    oneOf = {"seq-mean-token-mean", "token-mean", "seq-mean-token-sum", "seq-mean-token-sum-norm"})
            String lossAggregation,

            @Key(
                    value =
                            "what differences of rewards are divided by: their deviation in the group, in the batch, or nothing",
                    oneOf = {"group", "batch", "none"})
            String scaleRewards,

            @Key("whether questions whose answers have all the same reward are replaced by others")
            boolean dynamicSampling,

            @Key(value = "times that a step asks for others", min = 1)
            int maxResamples,

            @Key("tokens before max_new_tokens over which an answer's reward falls by up to 1; 0 for none")
            int overlongCache,

            @Key(
                    value = "whose probabilities ratios are taken to",
                    oneOf = {"sampler", "trainer"})
            String oldLogprobs,

            @Key("whether sampler and trainer compute the same bits, and the same bits each time")
            boolean deterministic,

            @Key("held-out problems of an evaluation; 0 for none")
            int heldOutProblems,

            @Key(value = "answers to each of them", min = 1) int heldOutSamples) {
        public GrpoKeys {
            if (promptsPerStep % miniBatches != 0) {
                throw new BadInput(
                        "mini_batches %d does not divide prompts_per_step %d.".formatted(miniBatches, promptsPerStep));
            }
            if (importanceCap > 0 && oldLogprobs.equals("sampler")) {
                throw new BadInput(
                        "importance_cap %s weighs nothing where ratios are to the sampler; give old_logprobs trainer, or 0."
                                .formatted(importanceCap));
            }
            if (importanceCap > 0 && !ratio.equals("token")) {
                throw new BadInput("importance_cap %s weighs tokens, but ratio is %s; give ratio token, or 0."
                        .formatted(importanceCap, ratio));
            }
            if (overlongCache > maxNewTokens) {
                throw new BadInput("overlong_cache %d is longer than max_new_tokens %d; lower the first."
                        .formatted(overlongCache, maxNewTokens));
            }
        }

        /// @param adapters whether they move instead of the weights
        /// @return whether a model is kept as reference: not where that is the model without adapters
        boolean keepsReference(boolean adapters) {
            boolean moves = referenceEvery > 0 && referenceEvery < steps;
            return beta > 0 && (moves || !adapters);
        }
    }

    /// Learning from a teacher.
    public record DistillKeys(
            @Key(
                    value = "what is learnt: the teacher's answers, or its distributions by one of these divergences",
                    oneOf = {"answers", "forward_kl", "reverse_kl", "jsd"})
            String loss,

            @Key(value = "the teacher's share in the mixture of jsd", min = 1e-6, max = 0.999999)
            double jsdBeta,

            @Key(value = "share of the texts that the student itself writes", max = 1)
            double onPolicyShare,

            @Key(value = "temperature of both distributions", min = 1e-3)
            double temperature,

            @Key("built-in task or a .jsonl file of problems")
            String task,

            @Key(
                    value = "how a question is put",
                    oneOf = {"plain", "chat", "r1_zero"})
            String promptForm,

            @Key("problems that the teacher answers") int problems,

            @Key(value = "answers to each of them", min = 1) int samples,

            @Key(value = "temperature at which answers are drawn", min = 0)
            double sampleTemperature,

            @Key(value = "most tokens of an answer", min = 1)
            int maxNewTokens,

            @Key("rewards by which the teacher's answers are judged, such as accuracy:1")
            List<String> reward,

            @Key("least reward of an answer that is learnt from")
            double keepReward,

            @Key(value = "times that all answers are seen", min = 1e-6)
            double epochs,

            @Key(value = "examples in a step", min = 1) int batchExamples,

            @Key(value = "most tokens of an example, within the model's context", min = 2)
            int sequenceLength,

            @Key("held-out problems of an evaluation; 0 for none")
            int heldOutProblems,

            @Key(value = "answers to each of them", min = 1) int heldOutSamples) {
        public DistillKeys {
            if (loss.equals("answers") && onPolicyShare > 0) {
                throw new BadInput(
                        "on_policy_share %s needs the teacher's distributions; give a loss such as reverse_kl, or 0."
                                .formatted(onPolicyShare));
            }
        }
    }

    /// @param options by key, as a person writes them
    /// @throws BadInput for a key that does not exist (it names the nearest one), a value of the wrong
    ///     type or outside its range, and for values that contradict each other
    public static Settings<SftKeys> sft(Map<String, String> options) {
        return of(SftKeys.class, options);
    }

    /// Those of direct preference optimization; see [#sft].
    public static Settings<DpoKeys> dpo(Map<String, String> options) {
        return of(DpoKeys.class, options);
    }

    /// Those of learning from rewards; see [#sft].
    public static Settings<GrpoKeys> grpo(Map<String, String> options) {
        return of(GrpoKeys.class, options);
    }

    /// Those of learning from a teacher; see [#sft].
    public static Settings<DistillKeys> distill(Map<String, String> options) {
        return of(DistillKeys.class, options);
    }

    private static <K extends Record> Settings<K> of(Class<K> method, Map<String, String> options) {
        Kind kind = Kind.of(method);
        String file = kind.text() + ".yaml";
        SequencedMap<String, String> values =
                new LinkedHashMap<>(SettingKeys.resource(Settings.class.getResourceAsStream(file), file));
        options.forEach((key, value) -> kind.keys.parse(key, value));
        values.putAll(options);
        return read(method, values);
    }

    /// @param values every key with its value as a person writes it
    static <K extends Record> Settings<K> read(Class<K> method, Map<String, String> values) {
        List<Record> records = Kind.of(method).keys.records(values);
        return new Settings<>(
                method.cast(records.get(0)),
                (Optimizer) records.get(1),
                (Adapter) records.get(2),
                (Limits) records.get(3),
                (Compute) records.get(4),
                (RunKeys) records.get(5));
    }

    /// @return the method that these are for
    public Kind kind() {
        return Kind.of(method.getClass());
    }

    /// @return all values by key: numbers, booleans, strings and lists of strings
    public SequencedMap<String, Object> values() {
        return kind().keys.values(records());
    }

    /// @return a line for each key: its value, its meaning, what it may be
    public List<String> help() {
        return kind().keys.help(records());
    }

    private List<Record> records() {
        return List.of(method, optimizer, adapter, limits, compute, run);
    }

    /// @return the same with kernels and precision by name, where they are left open
    Settings<K> decided() {
        return new Settings<>(method, optimizer, adapter, limits, compute.decided(), run);
    }

    /// @return a checksum of all that decides about the numbers of the run
    String fingerprint() {
        return kind().keys.fingerprint(values());
    }

    /// These as a run goes on with others.
    ///
    /// @throws BadInput where an option would change its numbers
    Settings<K> resumed(Map<String, String> options) {
        @SuppressWarnings("unchecked")
        Class<K> type = (Class<K>) method.getClass();
        return read(type, kind().keys.resumed(values(), options));
    }
}
