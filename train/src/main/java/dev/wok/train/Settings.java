package dev.wok.train;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// Every setting of a training run, under flat keys in snake_case: those of the model in the words of
/// config.json, then batches, optimizer, balance, text and run. A preset gives all of them; options
/// change some.
///
/// Each value is checked against its range as it is read, and all of them against each other when the
/// record is made; a contradiction is a [BadInput] that names the keys.
public record Settings(
        Architecture architecture,
        Batches batches,
        Optimizer optimizer,
        Balance balance,
        Text text,
        Compute compute,
        Run run) {
    static final SettingKeys KEYS = new SettingKeys(
            "wok train --settings",
            List.of(
                    Architecture.class,
                    Batches.class,
                    Optimizer.class,
                    Balance.class,
                    Text.class,
                    Compute.class,
                    Run.class));

    private static final String PARTS = "gradient_parts";

    /// The model's shape, in config.json's words; `q_lora_rank` 0 is its `null`.
    public record Architecture(
            @Key(value = "token ids: three special ones, 256 bytes, and merges", min = 1, max = 1 << 24)
            int vocabSize,

            @Key(value = "width of the residual stream", min = 1)
            int hiddenSize,

            @Key(value = "width of the dense layers' MLP", min = 1)
            int intermediateSize,

            @Key(value = "width of one expert's MLP", min = 1)
            int moeIntermediateSize,

            @Key(value = "layers", min = 1) int numHiddenLayers,

            @Key(value = "attention heads", min = 1) int numAttentionHeads,

            @Key(
                    value = "width of the queries' latent; 0 for none",
                    zero = {"null", "none"})
            int qLoraRank,

            @Key(value = "width of the keys' and values' latent", min = 1)
            int kvLoraRank,

            @Key("width of a head's query and key without position")
            int qkNopeHeadDim,

            @Key(value = "width of a head's query and key with position; even", min = 2)
            int qkRopeHeadDim,

            @Key(value = "width of a head's value", min = 1) int vHeadDim,

            @Key(value = "experts that the router chooses from", min = 1)
            int nRoutedExperts,

            @Key("experts that every token visits") int nSharedExperts,

            @Key(value = "routed experts that a token visits", min = 1)
            int numExpertsPerTok,

            @Key(value = "groups of experts", min = 1) int nGroup,

            @Key(value = "groups that a token may visit", min = 1)
            int topkGroup,

            @Key("whether the chosen experts' weights are scaled to a sum of 1")
            boolean normTopkProb,

            @Key("factor on the routed experts' output") double routedScalingFactor,

            @Key(
                    value = "the router's scores",
                    oneOf = {"sigmoid", "softmax"})
            String scoringFunc,

            @Key("leading layers that are dense") int firstKDenseReplace,

            @Key("multi-token prediction modules") int numNextnPredictLayers,

            @Key("whether the output head is the embedding table")
            boolean tieWordEmbeddings,

            @Key(value = "base of the rotary embedding's wavelengths", min = 1)
            double ropeTheta,

            @Key(value = "longest sequence that the model shall serve", min = 1)
            int maxPositionEmbeddings,

            @Key("standard deviation of the first weights") double initializerRange,

            @Key("added to the mean square in RMSNorm") double rmsNormEps) {}

    /// How many tokens a step sees. Micro-batches are accumulated; their size and their parts change
    /// memory and rounding, no more.
    public record Batches(
            @Key("optimizer steps; 0 where only minutes limit the run")
            long steps,

            @Key("minutes of training; 0 for no limit. A run limited by time is not repeatable")
            double minutes,

            @Key(value = "tokens in a training sequence", min = 2)
            int sequenceLength,

            @Key(value = "sequences in a step", min = 1) int batchSequences,

            @Key(value = "sequences computed together; divides batch_sequences", min = 1)
            int microBatchSequences,

            @Key(
                    value = "parts in which a micro-batch's gradients, and what its tokens' experts say, are summed one"
                            + " after the other, so that as many ranks, or any that divide them, compute the same bits;"
                            + " divides micro_batch_sequences",
                    min = 1)
            int gradientParts) {}

    /// AdamW and its schedule. Shares are of the whole run.
    public record Optimizer(
            @Key("highest learning rate") double learningRate,

            @Key("learning rate at the end") double minLearningRate,

            @Key(value = "share of the run in which the rate rises", max = 1)
            double warmupShare,

            @Key(value = "share of the run in which the rate falls", max = 1)
            double decayShare,

            @Key(
                    value = "how the rate falls",
                    oneOf = {"cosine", "linear"})
            String decayShape,

            @Key("decay of tensors of two or more dimensions, times the learning rate")
            double weightDecay,

            @Key(value = "decay of the gradients' mean", max = 0.999999)
            double beta1,

            @Key(value = "decay of the gradients' mean square", max = 0.999999)
            double beta2,

            @Key(value = "added to the root of the mean square", min = 1e-30)
            double eps,

            @Key(value = "largest norm of all gradients together", min = 1e-12)
            double clipNorm) {
        public Optimizer {
            if (minLearningRate > learningRate) {
                throw new BadInput(
                        "min_learning_rate %s is above learning_rate %s.".formatted(minLearningRate, learningRate));
            }
            if (warmupShare + decayShare > 1) {
                throw new BadInput("warmup_share %s and decay_share %s are more than the whole run; their sum may be 1."
                        .formatted(warmupShare, decayShare));
            }
        }

        /// @return what no schedule moves
        public dev.wok.train.Optimizer.Constants constants() {
            return new dev.wok.train.Optimizer.Constants(beta1, beta2, eps, weightDecay, clipNorm);
        }
    }

    /// What keeps the experts' loads level, and the weights of the losses beside the main one.
    public record Balance(
            @Key("step of each expert's bias against its load; 0 turns it off")
            double gamma,

            @Key(value = "share of the run after which the biases rest", max = 1)
            double gammaUntil,

            @Key("weight of the sequence-wise balance loss") double balanceAlpha,

            @Key("weight of the multi-token prediction loss")
            double mtpLossWeight,

            @Key("slots for experts that ranks have beyond one for each, in a layer and over all ranks: for those in"
                    + " demand. Numbers then depend on how many ranks there are")
            int expertReplicas) {}

    /// The corpus: what is read of it, what is held out.
    public record Text(
            @Key("bytes of the corpus that are read; 0 for all")
            long corpusBytes,

            @Key("bytes of the corpus that the tokenizer learns from; 0 for all")
            long tokenizerBytes,

            @Key(value = "share of the documents that is held out", max = 0.5)
            double heldOut,

            @Key(value = "bytes of the held-out documents that evaluations read", min = 1)
            long evaluateBytes,

            @Key("field of a .jsonl line that holds the text")
            String jsonlField,

            @Key("globs of paths to read; empty for all") List<String> include,

            @Key("globs of paths to leave out") List<String> exclude) {}

    /// Everything about the run that is not about the model.
    public record Run(
            @Key(value = "steps between checkpoints; 0 for one at the end", free = true)
            long checkpointEvery,

            @Key(value = "checkpoints that are kept", min = 1, free = true)
            int keepCheckpoints,

            @Key("steps between evaluations; 0 for one at the end")
            long evaluateEvery,

            @Key(value = "steps between samples of text; 0 for one at the end", free = true)
            long sampleEvery,

            @Key(value = "how a sample of text begins", free = true)
            String samplePrompt,

            @Key(value = "tokens in a sample of text", free = true)
            int sampleTokens,

            @Key(value = "steps of which trace.json shows a timeline, as 3 or 3-5; 0 for none", free = true)
            String traceSteps,

            @Key(
                    value = "whether two micro-batches of a run on ranks take turns, so that the tokens of one travel"
                            + " while the other is computed; takes the memory of both, changes no number",
                    oneOf = {"auto", "on", "off"},
                    free = true)
            String overlap,

            @Key(
                    value =
                            "steps after which experts go to other ranks where that makes the fullest one lighter; 0 for"
                                    + " never. Changes no number without expert_replicas",
                    free = true)
            long replanEvery,

            @Key(
                    value =
                            "whether a rank whose experts compute more slowly gets such as are less in demand, by times that"
                                    + " are measured; where experts lie then differs from run to run. Changes no number"
                                    + " without expert_replicas",
                    free = true)
            boolean measuredSpeeds,

            @Key(
                    value =
                            "what tokens travel as between ranks: bf16 rounds them, fp8 also their way to the experts to"
                                    + " E4M3 with a scale for 128 values (DeepSeek-V3 3.3); rounded alike on one rank",
                    oneOf = {"f32", "bf16", "fp8"})
            String exchangePayload,

            @Key(
                    value =
                            "ranks that the layers are dealt to, a pipeline: as many as the run has, or 1 where its ranks"
                                    + " share experts. Changes no number",
                    min = 1,
                    max = 1024,
                    free = true)
            int pipelineRanks) {
        public Run {
            TracedSteps.parse(traceSteps);
        }

        /// @return whether tokens are rounded on their way to experts and back
        boolean roundsTokens() {
            return !exchangePayload.equals("f32");
        }
    }

    public Settings {
        if (architecture.maxPositionEmbeddings() < batches.sequenceLength()) {
            throw new BadInput(
                    "sequence_length %d is longer than max_position_embeddings %d; raise the second or lower the first."
                            .formatted(batches.sequenceLength(), architecture.maxPositionEmbeddings()));
        }
        if (batches.batchSequences() % batches.microBatchSequences() != 0) {
            throw new BadInput("micro_batch_sequences %d does not divide batch_sequences %d."
                    .formatted(batches.microBatchSequences(), batches.batchSequences()));
        }
        if (batches.microBatchSequences() % batches.gradientParts() != 0) {
            throw new BadInput("gradient_parts %d does not divide micro_batch_sequences %d."
                    .formatted(batches.gradientParts(), batches.microBatchSequences()));
        }
        if (batches.steps() == 0 && batches.minutes() == 0) {
            throw new BadInput("steps and minutes are both 0, so the run would never end; give one of them.");
        }
        if (text.heldOut() == 0) {
            throw new BadInput("held_out is 0: nothing would be left to evaluate on; give a share such as 0.01.");
        }
    }

    /// @return the names of the presets, the smallest first; the first is the default
    public static List<String> presets() {
        return Presets.NAMES;
    }

    /// A preset as it is.
    ///
    /// @throws BadInput where there is none of that name
    public static Settings preset(String name) {
        return of(name, Map.of());
    }

    /// A preset with some of its values changed. Where only one of `minutes` and `steps` is given, the other
    /// does not limit the run. Where `micro_batch_sequences` is given without `gradient_parts`, these are as
    /// many of the preset's as divide it.
    ///
    /// @param options values by key, as a person writes them; lists are separated by commas
    /// @throws BadInput for a key that does not exist (it names the nearest one), a value of the wrong
    ///     type or outside its range, and for values that contradict each other
    public static Settings of(String preset, Map<String, String> options) {
        SequencedMap<String, String> values = new LinkedHashMap<>(Presets.load(preset));
        options.forEach((key, value) -> KEYS.parse(key, value));
        if (options.containsKey("minutes") != options.containsKey("steps")) {
            values.put(options.containsKey("minutes") ? "steps" : "minutes", "0");
        }
        values.putAll(options);
        if (options.containsKey("micro_batch_sequences") && !options.containsKey(PARTS)) {
            values.put(PARTS, String.valueOf(commonParts(values)));
        }
        return of(values);
    }

    /// As [#of(String, Map)], for a new run that ranks share: where no `gradient_parts` are given, and the preset's are
    /// none that so many ranks divide, they are as few as these need; a pipeline's ranks need none.
    ///
    /// @param progress hears which these are
    /// @throws BadInput as above, and where no parts suit so many ranks
    public static Settings of(String preset, Map<String, String> options, int ranks, Progress progress) {
        Settings usual = of(preset, options);
        int sequences = usual.batches.microBatchSequences();
        boolean any = options.containsKey(PARTS) || usual.run.pipelineRanks() > 1;
        if (any || usual.batches.gradientParts() % ranks == 0) {
            return usual;
        }
        int parts = ranks;
        while (parts < sequences && sequences % parts != 0) {
            parts += ranks;
        }
        if (sequences % parts != 0) {
            throw new BadInput(
                    "%d ranks do not divide micro_batch_sequences %d, of which each takes as many; take another number of ranks, or set micro_batch_sequences and batch_sequences to multiples of %d."
                            .formatted(ranks, sequences, ranks));
        }
        progress.say(
                "gradients are summed in %d parts, so that %d ranks share the run (gradient_parts, %d in the preset)."
                        .formatted(parts, ranks, usual.batches.gradientParts()));
        Map<String, String> shared = new LinkedHashMap<>(options);
        shared.put(PARTS, String.valueOf(parts));
        return of(preset, shared);
    }

    private static int commonParts(Map<String, String> values) {
        int usual = (int) KEYS.parse(PARTS, values.getOrDefault(PARTS, "1"));
        int sequences = (int) KEYS.parse("micro_batch_sequences", values.getOrDefault("micro_batch_sequences", "1"));
        int parts = usual;
        while (sequences % parts != 0 || usual % parts != 0) {
            parts--;
        }
        return parts;
    }

    /// @return all values by key, in the order of the records: numbers, booleans, strings and lists of
    ///     strings
    public SequencedMap<String, Object> values() {
        return KEYS.values(records());
    }

    /// @param values every key with its value as a person writes it
    static Settings of(Map<String, String> values) {
        List<Record> records = KEYS.records(values);
        return new Settings(
                (Architecture) records.get(0),
                (Batches) records.get(1),
                (Optimizer) records.get(2),
                (Balance) records.get(3),
                (Text) records.get(4),
                (Compute) records.get(5),
                (Run) records.get(6));
    }

    private List<Record> records() {
        return List.of(architecture, batches, optimizer, balance, text, compute, run);
    }

    /// @return the same with kernels and precision by name, where they are left open: what a run that
    ///     goes on elsewhere has to keep
    Settings decided() {
        return new Settings(architecture, batches, optimizer, balance, text, compute.decided(), run);
    }

    /// @return a checksum of all values that decide about the numbers of a run
    public String fingerprint() {
        SequencedMap<String, Object> values = values();
        // One part, no replicas and tokens as they are is what earlier versions computed, which did not know the keys.
        values.remove(PARTS, 1);
        values.remove("expert_replicas", 0);
        values.remove("exchange_payload", "f32");
        return KEYS.fingerprint(values);
    }

    /// @return a line for each key: its value, its meaning, what it may be
    public List<String> help() {
        return KEYS.help(records());
    }
}
