package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;

/// Supervised fine-tuning: what others answered becomes likelier. A step's loss is the mean
/// cross-entropy over its targets, in nats; texts lie packed in one sequence and are blind to each
/// other.
public final class Sft implements Method {
    static final Run.Kind<Settings.SftKeys> KIND = new Run.Kind<>(Settings.SftKeys.class, Sft::make);
    private static final int SHOWN = 2;

    private final Learner learner;
    private final Tokenizer tokenizer;
    private final Portions<Example> portions;
    private final DataMark mark;
    private List<Example> last = List.of();

    /// Begins a run.
    ///
    /// @param out its folder, made where it is missing
    /// @param model a model folder
    /// @param data `.jsonl`, `.json` and `.parquet` files, and folders of such: conversations in the
    ///     forms of OpenAI and ShareGPT, prompts and completions, instructions and outputs, or texts
    /// @throws BadInput where the folder holds a run already, or data, model and settings do not fit
    ///     together
    public static Run start(
            Path out, Path model, List<Path> data, Settings<Settings.SftKeys> settings, Progress progress) {
        return Run.start(out, KIND, settings, model, Records.inputs(data), progress);
    }

    /// Goes on with a run where its last checkpoint was.
    ///
    /// @param options settings by key that were given again; only those that change no number may
    ///     differ
    /// @throws BadInput where there is no such run, or an option contradicts it
    public static Run resume(Path out, Map<String, String> options, Progress progress) {
        return Run.resume(out, KIND, options, progress);
    }

    private static Sft make(Run.Place<Settings.SftKeys> place) {
        List<Path> data = Records.paths(place.inputs());
        return new Sft(place.learner(), place.tokenizer(), data, place.settings(), place.progress());
    }

    /// @param learner stays the caller's
    /// @param data files and folders; see [ChatData]
    /// @throws BadInput where nothing in them can be learnt
    Sft(Learner learner, Tokenizer tokenizer, List<Path> data, Settings<Settings.SftKeys> settings, Progress progress) {
        this(learner, tokenizer, examples(tokenizer, data, settings.method(), learner.context(), progress), settings);
    }

    /// @param learner stays the caller's
    /// @param examples one or more
    /// @throws BadInput where one does not fit into a micro-batch
    Sft(Learner learner, Tokenizer tokenizer, List<Example> examples, Settings<Settings.SftKeys> settings) {
        this.learner = learner;
        this.tokenizer = tokenizer;
        examples.forEach(example -> Packed.requireFits(example, learner.tokens()));
        Settings.SftKeys keys = settings.method();
        portions = new Portions<>(
                examples,
                keys.heldOut(),
                keys.epochs(),
                keys.batchExamples(),
                settings.compute().seed());
        mark = DataMark.of(examples.stream());
    }

    private static List<Example> examples(
            Tokenizer tokenizer, List<Path> data, Settings.SftKeys keys, int context, Progress progress) {
        boolean all = keys.learn().equals("all");
        boolean cuts = keys.tooLong().equals("cut");
        return new ChatExamples(tokenizer, all, Math.min(keys.sequenceLength(), context), cuts)
                .examples(ChatData.demonstrations(data, progress), progress);
    }

    @Override
    public String name() {
        return "sft";
    }

    @Override
    public long steps() {
        return portions.steps();
    }

    @Override
    public SequencedMap<String, Object> step(long step, double learningRate) {
        long begin = System.nanoTime();
        last = portions.of(step);
        long targets = last.stream().mapToLong(Example::targets).sum();
        long tokens = last.stream().mapToLong(example -> example.ids().length).sum();
        learner.begin();
        SequencedMap<String, Object> figures = new LinkedHashMap<>();
        figures.put("loss", learn(learner, Packed.of(last, learner.tokens()), targets));
        figures.put("grad_norm", learner.update(step, learningRate));
        figures.put("epoch", portions.epoch(step));
        figures.put("examples", last.size());
        figures.put("tokens", tokens);
        figures.put("targets", targets);
        figures.put("tokens_per_second", tokens / ((System.nanoTime() - begin) * 1e-9));
        return figures;
    }

    /// Adds the gradients of a step's cross-entropy.
    ///
    /// @param targets of all batches
    /// @return the mean over them, in nats
    static double learn(Learner learner, List<Packed> batches, long targets) {
        double loss = 0;
        for (Packed packed : batches) {
            double[] each = new double[packed.examples().size()];
            Arrays.fill(each, -1.0 / targets);
            WeightedLogprobLoss one = new WeightedLogprobLoss(packed.batch(), each);
            learner.accumulate(packed.batch(), one);
            loss += one.value();
        }
        return loss;
    }

    @Override
    public List<SequencedMap<String, Object>> samples() {
        List<SequencedMap<String, Object>> shown = new ArrayList<>();
        for (Example example : last.subList(0, Math.min(SHOWN, last.size()))) {
            shown.add(sample(tokenizer, example));
        }
        return shown;
    }

    /// @return an example in two parts: before what is learnt, and from there on
    static SequencedMap<String, Object> sample(Tokenizer tokenizer, Example example) {
        int begin = 0;
        while (!example.learn()[begin]) {
            begin++;
        }
        int[] ids = example.ids();
        SequencedMap<String, Object> sample = new LinkedHashMap<>();
        sample.put("prompt", tokenizer.decode(Arrays.copyOf(ids, begin), false));
        sample.put("text", tokenizer.decode(Arrays.copyOfRange(ids, begin, ids.length), false));
        return sample;
    }

    @Override
    public SequencedMap<String, Object> evaluate() {
        SequencedMap<String, Object> figures = new LinkedHashMap<>();
        if (portions.heldOut().isEmpty()) {
            return figures;
        }
        double sum = 0;
        for (double logprob : logprobs(learner, portions.heldOut())) {
            sum += logprob;
        }
        long targets = portions.heldOut().stream().mapToLong(Example::targets).sum();
        figures.put("loss", -sum / targets);
        figures.put("examples", portions.heldOut().size());
        return figures;
    }

    /// @return of each example the log-probability of all its targets together, in nats
    static double[] logprobs(Learner learner, List<Example> examples) {
        double[] sums = new double[examples.size()];
        for (Packed packed : Packed.of(examples, learner.tokens())) {
            Scoring scoring = new Scoring(packed.batch(), 1);
            learner.score(packed.batch(), scoring);
            for (int i = 0; i < packed.examples().size(); i++) {
                sums[packed.examples().get(i)] = scoring.texts().get(i).sum();
            }
        }
        return sums;
    }

    @Override
    public void save(Path folder) throws IOException {
        mark.save(folder);
    }

    @Override
    public void restore(Path folder) throws IOException {
        mark.require(folder);
    }

    @Override
    public void close() {}
}
