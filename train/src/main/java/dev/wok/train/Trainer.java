package dev.wok.train;

import dev.wok.fabric.Fabric;
import dev.wok.fabric.Placement;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Routing;
import dev.wok.model.Batch;
import dev.wok.model.MlaConfig;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.MoeConfig;
import dev.wok.model.RopeConfig;
import dev.wok.model.Training;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.text.BpeTrainer;
import dev.wok.text.Packing;
import dev.wok.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.IntToLongFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// A training run in a folder: the door of this room. It reads text, trains a tokenizer and a model, keeps
/// checkpoints, and ends with a model folder, figures and a report. The same settings give the same bits on the same
/// machine, whatever the number of threads and however often the run was cut off and resumed; a run that its minutes
/// limit is the exception, since time decides there.
///
/// What is refused before the first step of a new run leaves nothing behind.
///
/// One thread runs it; [#requestStop] may come from any other.
public final class Trainer implements AutoCloseable {
    /// Continues a text, for the samples in the report; training itself knows nothing of generation.
    @FunctionalInterface
    public interface Sampler {
        /// @return the prompt and what the model makes of it
        String sample(Model model, Tokenizer tokenizer, String prompt, int tokens);
    }

    /// How a sitting ended.
    ///
    /// @param finished whether the run is done; else it was asked to stop and can be resumed
    /// @param steps done so far
    /// @param result the figures of result.json, empty where the run is not finished
    /// @param sample the last sample of text, empty where there was none
    public record Outcome(boolean finished, long steps, SequencedMap<String, Object> result, String sample) {}

    private static final int MOMENTS = 2;
    private static final int WEIGHTS_AND_MOMENTS = 1 + MOMENTS;

    /// Orientations of a weight that training multiplies by: forward and backward.
    private static final int FORMS = 2;

    private final RunFolder folder;
    private final RunFile run;
    private final Progress progress;
    private final Sampler sampler;
    private final boolean fresh;
    private boolean passesDamaged;
    private volatile boolean training;
    private volatile boolean stopRequested;
    private boolean begun;

    private Trainer(RunFolder folder, boolean fresh, RunFile run, Progress progress, Sampler sampler) {
        this.folder = folder;
        this.fresh = fresh;
        this.run = run;
        this.progress = progress;
        this.sampler = sampler;
    }

    /// Begins a run.
    ///
    /// @param out its folder, made where it is missing
    /// @param preset whose settings these are, for the record
    /// @param data files and folders of text; empty for the sources that come with a JDK
    /// @param init a model folder to start from, its shape and its tokenizer included, or null for a fresh model
    /// @throws BadInput where the folder holds a run already or is in use, where a source is missing, or where the
    ///     settings contradict each other or the model to start from
    public static Trainer start(
            Path out,
            String preset,
            Settings settings,
            List<Path> data,
            @Nullable Path init,
            Progress progress,
            Sampler sampler) {
        List<Path> sources = data.stream().map(Path::toAbsolutePath).toList();
        for (Path source : sources) {
            if (!Files.exists(source)) {
                throw new BadInput("there is no file or folder %s to read text from.".formatted(source));
            }
        }
        Path start = init == null ? null : init.toAbsolutePath();
        Settings shaped = start == null ? settings : InitialModel.shape(start, preset, settings);
        RunFile run = new RunFile(preset, shaped.decided(), sources, start);
        if (start == null) {
            architecture(settings, -1, -1);
            BpeTrainer.requireSize(settings.architecture().vocabSize());
        }
        RunFolder folder = RunFolder.begin(out);
        try {
            run.write(folder.run(), List.of(), null);
            return new Trainer(folder, true, run, progress, sampler);
        } catch (RuntimeException e) {
            folder.discard(e);
            throw e;
        }
    }

    /// Goes on with a run where its last checkpoint was.
    ///
    /// @param options settings by key that were given again; only those that change no number may differ
    /// @throws BadInput where there is no run, or an option contradicts it
    public static Trainer resume(
            Path out,
            @Nullable String preset,
            Map<String, String> options,
            List<Path> data,
            @Nullable Path init,
            Progress progress,
            Sampler sampler) {
        if (!RunFolder.holdsRun(out)) {
            throw new BadInput("%s holds no run to resume; start one without --resume.".formatted(out));
        }
        RunFolder folder = RunFolder.open(out);
        try {
            RunFile run = RunFile.read(folder.run())
                    .resumedWith(
                            preset,
                            options,
                            data.stream().map(Path::toAbsolutePath).toList(),
                            init == null ? null : init.toAbsolutePath());
            return new Trainer(folder, false, run, progress, sampler);
        } catch (RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    /// Lets a run that goes on take the newest checkpoint that is whole where newer ones are damaged, for whoever
    /// starts
    /// it again without looking. To be called before [#run].
    public void passDamagedCheckpoints() {
        passesDamaged = true;
    }

    /// Asks the run to finish its step, save and return.
    ///
    /// @return whether there is anything to wait for; before training begins there is not
    public boolean requestStop() {
        stopRequested = true;
        return training;
    }

    /// @return the name of the preset that the run began with
    public String preset() {
        return run.preset();
    }

    /// Trains until the run is done or is asked to stop. A fresh run that is refused before its first step leaves
    /// nothing behind.
    ///
    /// @throws BadInput where the text, the settings and this machine do not fit together
    /// @throws IllegalStateException where the loss is no number any more
    public Outcome run() {
        return run(Ranks.alone());
    }

    /// As [#run()], on a group of ranks that this one leads. The bits are the same for as many ranks as
    /// `gradient_parts` says, and for any number that divides it.
    ///
    /// @param ranks who shares the work in this sitting; another one may have others
    /// @throws BadInput where the settings do not allow so many
    /// @throws dev.wok.fabric.Departed where a rank goes before its time; the checkpoints stay
    public Outcome run(Ranks ranks) {
        try {
            requireRanks(ranks.size());
            return ranks.lead(progress, fabric -> {
                try (Leader leader = new Leader(fabric)) {
                    Outcome outcome = RunFolder.isFinished(folder.root()) ? finished() : prepareAndTrain(leader);
                    leader.ends(outcome.finished());
                    return outcome;
                }
            });
        } catch (RuntimeException | Error e) {
            if (fresh && !begun) {
                folder.discard(e);
            }
            throw e;
        }
    }

    private void requireRanks(int ranks) {
        if (RunModel.isPipeline(run.settings())) {
            requirePipeline(ranks);
        } else {
            requireShares(ranks);
        }
    }

    private void requirePipeline(int ranks) {
        if (!run.settings().compute().isOnProcessor()) {
            throw new BadInput(
                    "device is %s, expected cpu for a pipeline; ranks of GPUs can share experts (pipeline_ranks=1)."
                            .formatted(run.settings().compute().device()));
        }
        int asked = run.settings().run().pipelineRanks();
        if (asked != ranks) {
            throw new BadInput(
                    "pipeline_ranks is %d, the run has %d ranks; give --set pipeline_ranks=%d, or 1 where ranks shall share experts."
                            .formatted(asked, ranks, ranks));
        }
        int replicas = run.settings().balance().expertReplicas();
        if (replicas > 0) {
            throw new BadInput(
                    "expert_replicas is %d, expected 0 in a pipeline, whose ranks have all experts of their layers."
                            .formatted(replicas));
        }
        if (run.settings().run().measuredSpeeds()) {
            throw new BadInput(
                    "measured_speeds is true, expected false in a pipeline, whose ranks have all experts of their layers.");
        }
        if (run.settings().run().roundsTokens()) {
            throw new BadInput("exchange_payload is %s, expected f32 in a pipeline, where no tokens travel to experts."
                    .formatted(run.settings().run().exchangePayload()));
        }
        Settings.Batches batches = run.settings().batches();
        int micro = batches.batchSequences() / batches.microBatchSequences();
        if (micro < 2 * ranks) {
            throw new BadInput(
                    "a step has %d micro-batches, a pipeline of %d ranks needs %d or more; lower micro_batch_sequences (%d) or raise batch_sequences (%d)."
                            .formatted(
                                    micro, ranks, 2 * ranks, batches.microBatchSequences(), batches.batchSequences()));
        }
        int layers = config(-1, -1).numHiddenLayers();
        if (layers < 2 * ranks) {
            throw new BadInput(
                    "a pipeline of %d ranks has %d stages, num_hidden_layers is %d; use fewer ranks or more layers."
                            .formatted(ranks, 2 * ranks, layers));
        }
    }

    private void requireShares(int ranks) {
        int parts = run.settings().batches().gradientParts();
        if (parts % ranks != 0) {
            throw new BadInput(
                    "the run has gradient_parts %d, which %d ranks do not divide; take a number of ranks that does, or start a run with --set gradient_parts=%d."
                            .formatted(parts, ranks, ranks));
        }
        int experts = run.settings().architecture().nRoutedExperts();
        if (ranks > experts) {
            throw new BadInput(
                    "%d ranks cannot share n_routed_experts %d, expected one or more for each; use fewer ranks."
                            .formatted(ranks, experts));
        }
    }

    private Outcome prepareAndTrain(Leader leader) {
        Settings settings = run.settings();
        return RunModel.compute(settings, leader.fabric())
                .with(
                        RunModel.threads(settings, leader.fabric()),
                        progress,
                        kernels -> prepareAndTrain(kernels, leader));
    }

    private Outcome prepareAndTrain(Kernels kernels, Leader leader) {
        Settings settings = run.settings();
        Optional<Checkpoint> checkpoint = leader.meanwhile("looking for a checkpoint", this::newestCheckpoint);
        boolean _ = leader.meanwhile("measuring memory", () -> {
            requireMemory(
                    checkpoint.isPresent() ? ModelConfig.load(checkpoint.get().folder()) : config(-1, -1),
                    kernels,
                    settings,
                    leader.fabric());
            return true;
        });
        adviseTurns(settings, leader.fabric().size());
        try (Preparation prepared = leader.meanwhile("preparing the text", () -> prepare(checkpoint.isEmpty()))) {
            checkpoint.ifPresent(c -> requireSame(c.state(), prepared.train().fingerprint()));
            requirePrompt(
                    settings.run(),
                    prepared.tokenizer(),
                    settings.architecture().maxPositionEmbeddings());
            run.write(folder.run(), prepared.summary(), leader.fabric().shape());
            Order.Begin share = share(checkpoint, prepared.tokenizer());
            leader.begin(share);
            try (Model model = RunModel.of(share, settings, kernels, leader.fabric(), progress);
                    TrainingStep step =
                            step(model, settings, RunModel.places(share).orElse(null))) {
                checkpoint.ifPresent(c -> step.descent().restore(Checkpoint.optimizer(c.folder())));
                leader.ready();
                adviseGpus(settings, model);
                adviseReplicas(settings, leader.fabric().size());
                sayWhereExpertsLie(model, RunModel.places(share));
                try (Loop loop = new Loop(leader, prepared, model, step, checkpoint.map(Checkpoint::state))) {
                    return loop.run();
                }
            }
        }
    }

    private Optional<Checkpoint> newestCheckpoint() {
        return passesDamaged
                ? Checkpoint.newestWhole(folder.checkpoints(), progress)
                : Checkpoint.newest(folder.checkpoints(), progress);
    }

    private void adviseTurns(Settings settings, int ranks) {
        Settings.Batches batches = settings.batches();
        int micro = batches.microBatchSequences();
        if (fresh && RunModel.mayTakeTurns(settings, ranks) && batches.batchSequences() == micro) {
            String advice = micro % (2 * batches.gradientParts()) == 0
                    ? "with micro_batch_sequences=%d one is computed while the tokens of the other travel."
                            .formatted(micro / 2)
                    : "of two, one would be computed while the tokens of the other travel.";
            progress.say("a step is one micro-batch, so its ranks wait for tokens that travel; %s".formatted(advice));
        }
    }

    private void adviseGpus(Settings settings, Model model) {
        Fabric fabric = model.fabric();
        if (settings.compute().isOnProcessor()) {
            return;
        }
        if (model.exchangesThroughHost()) {
            progress.say("what GPUs exchange goes through memory of the host, and they wait for it.");
        } else if (fabric.size() > 1) {
            progress.say("tokens go from GPU to GPU; gradients and new weights go through memory of the host.");
        }
        int beside = RunModel.besideOnDevice(settings, fabric);
        if (beside > 1 && settings.compute().isOnGpu()) {
            progress.say("%d ranks of this machine compute on one GPU in turn; one rank for each GPU is faster."
                    .formatted(beside));
        }
    }

    private void adviseReplicas(Settings settings, int ranks) {
        int replicas = RunModel.expertReplicas(settings, ranks);
        if (replicas < settings.balance().expertReplicas()) {
            progress.say("expert_replicas is taken as %d: more are of no use on %d %s."
                    .formatted(replicas, ranks, ranks == 1 ? "rank" : "ranks"));
        }
        if (replicas > 0) {
            progress.say(
                    "experts have %d replicas a layer: the numbers of this run depend on its %d ranks, and on where experts lie on them%s."
                            .formatted(
                                    replicas,
                                    ranks,
                                    settings.run().measuredSpeeds()
                                            ? ", which measured times decide: the run is not repeatable"
                                            : ""));
        }
    }

    private void sayWhereExpertsLie(Model model, Optional<ExpertPlaces> before) {
        List<Placement> now = model.placements();
        boolean others = before.isPresent() && !before.get().placements().equals(now);
        if (others && model.fabric().size() > 1 && !model.isPipeline()) {
            progress.say("experts lie in order: the checkpoint had them on %d ranks, in other slots than these %d have."
                    .formatted(
                            before.get().placements().getFirst().ranks(),
                            model.fabric().size()));
        }
    }

    private Preparation prepare(boolean first) {
        return Preparation.of(folder, run, first, run.settings().compute().allThreads(), progress);
    }

    private Order.Begin share(Optional<Checkpoint> checkpoint, Tokenizer tokenizer) {
        return new Order.Begin(
                SettingKeys.texts(run.settings().values()),
                checkpoint.map(c -> c.folder().toAbsolutePath()).orElse(run.init()),
                checkpoint.isPresent(),
                tokenizer.bosId().orElse(-1),
                tokenizer.eosId().orElse(-1));
    }

    private Outcome finished() {
        SequencedMap<String, Object> result = new LinkedHashMap<>();
        try {
            JsonNode root = Logs.JSON.readTree(Files.readAllBytes(folder.result()));
            if (!root.path("steps").isIntegralNumber()
                    || !root.path("held_out_bits_per_byte").isNumber()) {
                throw new BadInput("%s is damaged; remove it to finish the run again.".formatted(folder.result()));
            }
            root.properties()
                    .forEach(e -> result.put(
                            e.getKey(),
                            e.getValue().isIntegralNumber()
                                    ? (Object) e.getValue().asLong()
                                    : (Object) e.getValue().asDouble()));
        } catch (IOException | JacksonException e) {
            throw new BadInput("%s cannot be read; remove it to finish the run again.".formatted(folder.result()), e);
        }
        if (!Files.exists(folder.report())) {
            Report.write(folder.root(), List.of());
        }
        progress.say("%s is finished already.".formatted(folder.root()));
        return new Outcome(true, ((Number) result.getOrDefault("steps", 0L)).longValue(), result, "");
    }

    private ModelConfig config(int bosId, int eosId) {
        return run.init() != null
                ? Model.config(run.init(), Progress.silent())
                : architecture(run.settings(), bosId, eosId);
    }

    /// @param bosId the id that begins a text, -1 for none
    /// @param eosId the id that ends a text, -1 for none
    /// @return the model that the settings describe
    /// @throws BadInput where they contradict each other
    public static ModelConfig architecture(Settings settings, int bosId, int eosId) {
        Settings.Architecture a = settings.architecture();
        if (a.hiddenSize() % a.numAttentionHeads() != 0) {
            throw new BadInput("hidden_size %d is no multiple of num_attention_heads %d."
                    .formatted(a.hiddenSize(), a.numAttentionHeads()));
        }
        boolean sigmoid = a.scoringFunc().equals("sigmoid");
        if (sigmoid && a.nRoutedExperts() < 2) {
            throw new BadInput(
                    "n_routed_experts is %d, expected 2 or more with a sigmoid router, as transformers demands it."
                            .formatted(a.nRoutedExperts()));
        }
        return new ModelConfig(
                sigmoid ? ModelConfig.Family.DEEPSEEK_V3 : ModelConfig.Family.DEEPSEEK_V2,
                a.vocabSize(),
                a.hiddenSize(),
                a.numHiddenLayers(),
                a.numAttentionHeads(),
                new MlaConfig(a.qLoraRank(), a.kvLoraRank(), a.qkNopeHeadDim(), a.qkRopeHeadDim(), a.vHeadDim()),
                a.intermediateSize(),
                a.firstKDenseReplace(),
                1,
                List.of(),
                new MoeConfig(
                        a.nRoutedExperts(),
                        a.nSharedExperts(),
                        a.numExpertsPerTok(),
                        a.moeIntermediateSize(),
                        a.nGroup(),
                        a.topkGroup(),
                        a.normTopkProb(),
                        a.routedScalingFactor(),
                        sigmoid ? Routing.Scoring.SIGMOID : Routing.Scoring.SOFTMAX,
                        sigmoid),
                new RopeConfig(a.ropeTheta(), null),
                a.maxPositionEmbeddings(),
                a.rmsNormEps(),
                a.initializerRange(),
                a.tieWordEmbeddings(),
                a.numNextnPredictLayers(),
                bosId,
                eosId < 0 ? List.of() : List.of(eosId));
    }

    /// @return a model as a run with these settings begins with
    public static Model model(ModelConfig config, Settings settings, Kernels kernels) {
        return RunModel.create(config, settings, kernels, Fabric.alone());
    }

    /// @param model from [#model]; stays the caller's
    /// @return the steps of a run with these settings
    public static TrainingStep step(Model model, Settings settings) {
        return step(model, settings, null);
    }

    /// @param places what a checkpoint kept of where experts lie, or null
    static TrainingStep step(Model model, Settings settings, @Nullable ExpertPlaces places) {
        return new TrainingStep(
                model,
                RunModel.microBatch(settings, model.kernels(), model.fabric().size()),
                settings.optimizer().constants(),
                settings.run().replanEvery(),
                settings.run().measuredSpeeds(),
                places);
    }

    /// @param fabric whose ranks on this machine share its memory
    private static void requireMemory(ModelConfig config, Kernels kernels, Settings settings, Fabric fabric) {
        Settings.Batches batches = settings.batches();
        MachineMemory.Room room = MachineMemory.room(kernels.stream().device());
        int ranks = fabric.size();
        int here = RunModel.besideOnDevice(settings, fabric);
        double share = (double) here / ranks;
        // To count exactly what is far too large would take long, so a lower bound goes first.
        double tokens = (double) batches.microBatchSequences() * batches.sequenceLength();
        double values = 4 * tokens * config.hiddenSize() * config.numHiddenLayers();
        requireFree(room, "at least ", "", share * values, share * WEIGHTS_AND_MOMENTS * 4.0 * config.parameters());
        if (tokens > Integer.MAX_VALUE) {
            throw new BadInput("a micro-batch of %,.0f tokens was asked for, expected fewer than 2^31; lower %s."
                    .formatted(tokens, "micro_batch_sequences or sequence_length"));
        }
        long whole = Model.bytes(config, DType.F32);
        int replicas = RunModel.expertReplicas(settings, ranks);
        boolean dealt = RunModel.isPipeline(settings);
        double weights = dealt
                ? sumHere(fabric, rank -> Model.pipelineBytes(config, ranks, rank))
                : (double) here * Model.bytes(config, DType.F32, ranks, replicas);
        double forms = weights / whole * Model.formBytes(config, kernels, DType.F32, FORMS);
        long sampling = settings.run().sampleTokens() == 0 ? 0 : Model.inferenceBytes(config, DType.F32);
        Training.Settings microBatch = RunModel.microBatch(settings, kernels, ranks);
        double training = dealt
                ? sumHere(fabric, rank -> Training.pipelineBytes(config, microBatch, ranks, rank))
                : (double) here * Training.bytes(config, DType.F32, microBatch, ranks, replicas);
        String turns = microBatch.atOnce() > 1 ? "; overlap=off needs the memory of one micro-batch alone" : "";
        double moments = (double) MOMENTS
                * (dealt
                        ? weights
                        : share * whole + weights - (double) here * Model.bytes(config, DType.F32, ranks, 0));
        double moves = dealt ? 0 : (double) here * ExpertMoves.bytes(config, ranks, replicas);
        requireFree(room, "", turns, training + sampling + moves + room.heap(), weights + forms + moments);
    }

    /// @return the sum over the ranks of this rank's machine
    private static double sumHere(Fabric fabric, IntToLongFunction bytes) {
        int[] machines = fabric.shape().machines();
        return IntStream.range(0, machines.length)
                .filter(rank -> machines[rank] == machines[fabric.rank()])
                .mapToLong(bytes)
                .sum();
    }

    private static void requireFree(
            MachineMemory.Room room, String bound, String advice, double batch, double weights) {
        if (batch + weights > room.free()) {
            throw new BadInput(
                    "the run needs %s%,.0f MB (weights and optimizer %,.0f MB, the rest for gradients, a micro-batch and samples), %s has %,d MB free; lower micro_batch_sequences, sequence_length or the model%s."
                            .formatted(
                                    bound,
                                    (batch + weights) / (1 << 20),
                                    weights / (1 << 20),
                                    room.place(),
                                    room.free() >> 20,
                                    advice));
        }
    }

    private static void requirePrompt(Settings.Run run, Tokenizer tokenizer, int context) {
        int tokens =
                tokenizer.encode(run.samplePrompt()).length + (tokenizer.bosId().isPresent() ? 1 : 0);
        if (run.sampleTokens() > 0 && (tokens == 0 || tokens > context)) {
            throw new BadInput("sample_prompt has %d tokens, expected 1 to max_position_embeddings (%d)."
                    .formatted(tokens, context));
        }
    }

    private void requireSame(Checkpoint.State state, long corpus) {
        if (state.corpus() != corpus) {
            throw new BadInput("the text is not that of the first %,d steps; put it back or start another run."
                    .formatted(state.step()));
        }
        if (!state.settings().equals(run.fingerprint())) {
            throw new BadInput("the settings in %s are not those of the first %,d steps; put them back."
                    .formatted(folder.run(), state.step()));
        }
    }

    @Override
    public void close() {
        folder.close();
    }

    /// One sitting of the run: the steps from a checkpoint, or from the first, to the last or to a stop.
    private final class Loop implements AutoCloseable {
        private final Settings settings = run.settings();
        private final Settings.Batches batches = settings.batches();
        private final Schedule schedule = Schedule.of(settings.optimizer());
        private final Leader leader;
        private final Preparation prepared;
        private final Model model;
        private final TrainingStep training;
        private final StepTraces traces;
        private final Packing packing;
        private final Logs logs;
        private long step;
        private long tokens;
        private double elapsed;
        private double lastLoss = Double.NaN;
        private double lastViolation;
        private String lastSample = "";
        private double lastBitsPerByte = Double.NaN;
        private long evaluatedAt = -1;
        private long sampledAt = -1;
        private long savedAt = -1;

        Loop(Leader leader, Preparation prepared, Model model, TrainingStep training, Optional<Checkpoint.State> from) {
            this.leader = leader;
            this.prepared = prepared;
            this.model = model;
            this.training = training;
            traces = new StepTraces(model.fabric(), settings.run(), folder.trace(), progress);
            packing = new Packing(
                    prepared.train(),
                    batches.sequenceLength(),
                    settings.compute().seed());
            if (packing.sequences() < batches.batchSequences()) {
                throw new BadInput(
                        "the corpus is smaller than one batch: it gives %,d sequences of %,d tokens, a batch has %,d; give more text or lower batch_sequences or sequence_length."
                                .formatted(packing.sequences(), batches.sequenceLength(), batches.batchSequences()));
            }
            step = from.map(Checkpoint.State::step).orElse(0L);
            tokens = from.map(Checkpoint.State::tokens).orElse(0L);
            elapsed = from.map(Checkpoint.State::elapsedSeconds).orElse(0.0);
            savedAt = from.isPresent() ? step : -1;
            logs = Logs.open(folder.root(), from.map(Checkpoint.State::logs).orElse(Logs.Lengths.EMPTY));
            if (step > 0) {
                JsonNode last = Logs.lastMetric(folder.root());
                lastLoss = last.path("loss").asDouble(Double.NaN);
                lastViolation = last.path("max_violation").asDouble(0);
            }
        }

        Outcome run() {
            if (step > 0) {
                progress.say("going on after step %d.".formatted(step));
            }
            if (settings.balance().gamma() > 0
                    && settings.architecture().scoringFunc().equals("softmax")) {
                progress.say("a softmax router has no bias, so gamma is without effect.");
            }
            boolean byTime = batches.steps() == 0;
            long total = byTime ? Math.round(60 * batches.minutes()) : batches.steps();
            begun = true;
            Trainer.this.training = true;
            try (Progress.Task task = progress.start("training", total, byTime ? "seconds" : "steps")) {
                task.advance(byTime ? (long) elapsed : step);
                while (!done() && !stopRequested) {
                    double before = elapsed;
                    one(task);
                    task.advance(byTime ? (long) elapsed - (long) before : 1);
                    betweenSteps();
                }
                if (done()) {
                    evaluate();
                    sample();
                }
                save();
            } finally {
                Trainer.this.training = false;
            }
            if (done()) {
                Durable.folder(folder.model(), this::writeModel);
            }
            return leader.meanwhile("the run's end", this::outcome);
        }

        private boolean done() {
            return (batches.steps() > 0 && step >= batches.steps())
                    || (batches.minutes() > 0 && elapsed >= 60 * batches.minutes());
        }

        private void one(Progress.Task task) {
            long begin = System.nanoTime();
            double at = Schedule.progress(batches, step, elapsed);
            double rate = schedule.rate(at);
            double gamma =
                    at <= settings.balance().gammaUntil() ? settings.balance().gamma() : 0;
            traces.begin(step + 1);
            TrainingStep.Result result = leader.step(training, microBatches(), step + 1, rate, gamma);
            double seconds = (System.nanoTime() - begin) * 1e-9;
            List<Map<String, Object>> timeline = traces.end(step + 1);
            requireFinite(result);
            long stepTokens = (long) batches.batchSequences() * batches.sequenceLength();
            step++;
            tokens += stepTokens;
            elapsed += seconds;
            lastLoss = result.losses().loss();
            record(result, rate, stepTokens / seconds, timeline);
            training.planned().ifPresent(this::sayPlanned);
            task.detail("loss %.3f  %,.0f tokens/s  lr %.1e".formatted(lastLoss, stepTokens / seconds, rate));
        }

        private void sayPlanned(Replanning.Plan plan) {
            String layers = plan.layers() == 1 ? "a layer" : plan.layers() + " layers";
            String gain = settings.run().measuredSpeeds()
                    ? "the slowest rank should take %.2f of the time of ranks that are busy alike instead of %.2f"
                    : "the fullest rank has %.2f of the mean instead of %.2f";
            progress.say("step %d: %d experts of %s move, %s."
                    .formatted(step, plan.experts(), layers, gain.formatted(plan.after(), plan.before())));
        }

        private List<Batch> microBatches() {
            List<Batch> all = new ArrayList<>();
            List<Packing.Sequence> rows = new ArrayList<>();
            for (int i = 0; i < batches.batchSequences(); i++) {
                rows.add(packing.sequence(step * batches.batchSequences() + i));
                if (rows.size() == batches.microBatchSequences()) {
                    all.add(Evaluation.batch(rows));
                    rows.clear();
                }
            }
            return all;
        }

        private String wholeCheckpoints() {
            return savedAt < 0
                    ? "no checkpoint was made yet"
                    : "the checkpoint of step %d in %s is whole".formatted(savedAt, folder.checkpoints());
        }

        private void requireFinite(TrainingStep.Result result) {
            if (!result.isFinite()) {
                throw new IllegalStateException(
                        "the losses of step %d are %s (main), %s (multi-token prediction) and %s (balance), its gradient's norm is %s: the run diverged, and nothing was changed by this step. Lower learning_rate and start again; %s"
                                .formatted(
                                        step + 1,
                                        result.losses().loss(),
                                        result.losses().mtpLoss(),
                                        result.losses().balanceLoss(),
                                        result.gradNorm(),
                                        wholeCheckpoints()));
            }
        }

        private void record(
                TrainingStep.Result result, double rate, double tokensPerSecond, List<Map<String, Object>> timeline) {
            List<ExpertLoad> loads =
                    Arrays.stream(result.losses().load()).map(ExpertLoad::of).toList();
            lastViolation =
                    loads.stream().mapToDouble(ExpertLoad::violation).max().orElse(0);
            SequencedMap<String, Object> line = new LinkedHashMap<>();
            line.put("step", step);
            line.put("tokens", tokens);
            line.put("loss", result.losses().loss());
            line.put("mtp_loss", result.losses().mtpLoss());
            line.put("balance_loss", result.losses().balanceLoss());
            line.put("learning_rate", rate);
            line.put("grad_norm", result.gradNorm());
            line.put("tokens_per_second", rounded(tokensPerSecond, 1));
            line.put("max_violation", lastViolation);
            line.put(
                    "max_violation_per_layer",
                    loads.stream().map(ExpertLoad::violation).toList());
            line.put("load_entropy", loads.stream().map(ExpertLoad::entropy).toList());
            line.put("load", relative(result.losses().load()));
            if (model.fabric().size() > 1 && !model.isPipeline()) {
                line.put("rank_load", rounded(result.rankLoad(), 3));
            }
            line.put("seconds", rounded(elapsed, 3));
            if (!timeline.isEmpty()) {
                line.put("timeline", timeline);
            }
            logs.metric(line);
        }

        /// Loads over their mean, to three digits.
        private static List<List<Double>> relative(int[][] loads) {
            List<List<Double>> all = new ArrayList<>();
            for (int[] load : loads) {
                double mean = Math.max(1, Arrays.stream(load).sum()) / (double) load.length;
                all.add(Arrays.stream(load).mapToObj(n -> rounded(n / mean, 3)).toList());
            }
            return all;
        }

        private static double rounded(double value, int digits) {
            double unit = Math.pow(10, digits);
            return Math.rint(value * unit) / unit;
        }

        private void betweenSteps() {
            Settings.Run often = settings.run();
            if (isDue(often.evaluateEvery())) {
                evaluate();
            }
            if (isDue(often.sampleEvery())) {
                sample();
            }
            if (isDue(often.checkpointEvery())) {
                save();
            }
        }

        private boolean isDue(long every) {
            return every > 0 && step % every == 0 && !done();
        }

        /// Measures once per step; a checkpoint of this step has the record already.
        private void evaluate() {
            if (evaluatedAt == step) {
                return;
            }
            evaluatedAt = step;
            lastBitsPerByte = Evaluation.bitsPerByte(
                    batch -> leader.evaluate(training, batch),
                    prepared.heldOut(),
                    batches.microBatchSequences(),
                    batches.sequenceLength(),
                    progress);
            if (savedAt == step) {
                return;
            }
            SequencedMap<String, Object> line = new LinkedHashMap<>();
            line.put("step", step);
            line.put("held_out_bits_per_byte", lastBitsPerByte);
            line.put("gzip_bits_per_byte", prepared.gzipBitsPerByte());
            logs.evaluation(line);
        }

        private void sample() {
            if (sampledAt == step || settings.run().sampleTokens() == 0) {
                return;
            }
            sampledAt = step;
            String prompt = settings.run().samplePrompt();
            lastSample = leader.reading(
                    model,
                    () -> sampler.sample(
                            model, prepared.tokenizer(), prompt, settings.run().sampleTokens()));
            if (savedAt == step) {
                return;
            }
            SequencedMap<String, Object> line = new LinkedHashMap<>();
            line.put("step", step);
            line.put("prompt", prompt);
            line.put("text", lastSample);
            logs.sample(line);
        }

        private void save() {
            if (savedAt == step) {
                return;
            }
            if (!leader.isFinite(training)) {
                throw new IllegalStateException(
                        "the weights after step %d have no finite norm: the run diverged. Lower learning_rate and start again; %s"
                                .formatted(step, wholeCheckpoints()));
            }
            Checkpoint.State state = new Checkpoint.State(
                    step, tokens, elapsed, prepared.train().fingerprint(), run.fingerprint(), logs.force());
            Checkpoint.write(folder.checkpoints(), state, file -> leader.save(training, file), this::writeRun);
            savedAt = step;
            Checkpoint.keep(folder.checkpoints(), settings.run().keepCheckpoints());
        }

        private void writeRun(Path to) throws IOException {
            writeModel(to);
            training.places().ifPresent(places -> places.write(to));
        }

        private void writeModel(Path to) throws IOException {
            leader.save(model, to);
            prepared.tokenizer().save(to);
        }

        private Outcome outcome() {
            if (!done()) {
                Report.write(folder.root(), List.of());
                return new Outcome(false, step, new LinkedHashMap<>(), lastSample);
            }
            return new Outcome(true, step, finish(), lastSample);
        }

        private SequencedMap<String, Object> finish() {
            SequencedMap<String, Object> result = result();
            Durable.write(
                    folder.result(), Logs.JSON.writerWithDefaultPrettyPrinter().writeValueAsBytes(result));
            try {
                Report.write(folder.root(), List.of());
            } catch (BadInput e) {
                progress.say("the run is whole, but it has no report: %s Then: wok report %s"
                        .formatted(e.getMessage(), folder.root()));
            }
            return result;
        }

        private SequencedMap<String, Object> result() {
            SequencedMap<String, Object> result = new LinkedHashMap<>();
            result.put("steps", step);
            result.put("tokens", tokens);
            result.put("seconds", rounded(elapsed, 3));
            result.put("tokens_per_second", elapsed > 0 ? rounded(tokens / elapsed, 1) : 0.0);
            result.put("loss", lastLoss);
            result.put("held_out_bits_per_byte", lastBitsPerByte);
            result.put("gzip_bits_per_byte", prepared.gzipBitsPerByte());
            result.put("held_out_bytes", prepared.heldOut().bytes());
            result.put("max_violation", lastViolation);
            result.put("parameters", model.config().parameters());
            result.put("active_parameters", model.config().activeMatmulParameters());
            result.put("flops_per_token", Flops.perTrainedToken(model.config(), batches.sequenceLength()));
            return result;
        }

        @Override
        public void close() {
            logs.close();
        }
    }
}
