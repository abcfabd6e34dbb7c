package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.text.Tokenizer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/// Direct preference optimization (R. Rafailov et al., 2023): of two answers the better one becomes
/// likelier than the other, measured from what the model said before the first step; see [DpoLoss].
///
/// What it said then is computed once, and kept in checkpoints, so that no second model is needed.
public final class Dpo implements Method {
    static final Run.Kind<Settings.DpoKeys> KIND = new Run.Kind<>(Settings.DpoKeys.class, Dpo::make);
    private static final int SHOWN = 2;
    private static final String REFERENCE = "reference.bin";

    /// Two answers, and their place among all.
    private record Numbered(int place, ChatExamples.Pair pair) {}

    private final Learner learner;
    private final Tokenizer tokenizer;
    private final Progress progress;
    private final List<ChatExamples.Pair> pairs;
    private final Portions<Numbered> portions;
    private final int batchPairs;
    private final DpoLoss loss;
    private final DataMark mark;
    /// Of each pair the log-probabilities of both answers before the first step; empty until they are
    /// known.
    private double[] reference = {};
    private List<Numbered> last = List.of();
    private double[] lastRewards = {};

    /// Begins a run.
    ///
    /// @param out its folder, made where it is missing
    /// @param model a model folder
    /// @param data `.jsonl`, `.json` and `.parquet` files, and folders of such, with `prompt`, `chosen`
    ///     and `rejected`: texts, or lists of messages
    /// @throws BadInput where the folder holds a run already, or data, model and settings do not fit
    ///     together
    public static Run start(
            Path out, Path model, List<Path> data, Settings<Settings.DpoKeys> settings, Progress progress) {
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

    private static Dpo make(Run.Place<Settings.DpoKeys> place) {
        List<Path> data = Records.paths(place.inputs());
        return new Dpo(place.learner(), place.tokenizer(), data, place.settings(), place.progress());
    }

    /// @param learner stays the caller's
    /// @param data files and folders; see [ChatData]
    /// @throws BadInput where nothing in them can be learnt
    Dpo(Learner learner, Tokenizer tokenizer, List<Path> data, Settings<Settings.DpoKeys> settings, Progress progress) {
        this(
                learner,
                tokenizer,
                pairs(tokenizer, data, settings.method(), learner.context(), progress),
                progress,
                settings);
    }

    /// @param learner stays the caller's
    /// @param pairs one or more
    /// @throws BadInput where an answer does not fit into a micro-batch
    Dpo(
            Learner learner,
            Tokenizer tokenizer,
            List<ChatExamples.Pair> pairs,
            Progress progress,
            Settings<Settings.DpoKeys> settings) {
        this.learner = learner;
        this.tokenizer = tokenizer;
        this.progress = progress;
        this.pairs = pairs;
        answers(pairs).forEach(answer -> Packed.requireFits(answer, learner.tokens()));
        Settings.DpoKeys keys = settings.method();
        batchPairs = keys.batchExamples();
        portions = new Portions<>(
                IntStream.range(0, pairs.size())
                        .mapToObj(i -> new Numbered(i, pairs.get(i)))
                        .toList(),
                keys.heldOut(),
                keys.epochs(),
                batchPairs,
                settings.compute().seed());
        loss = new DpoLoss(keys.beta(), keys.labelSmoothing());
        mark = DataMark.of(answers(pairs));
    }

    private static List<ChatExamples.Pair> pairs(
            Tokenizer tokenizer, List<Path> data, Settings.DpoKeys keys, int context, Progress progress) {
        boolean cuts = keys.tooLong().equals("cut");
        return new ChatExamples(tokenizer, false, Math.min(keys.sequenceLength(), context), cuts)
                .pairs(ChatData.preferences(data, progress), progress);
    }

    private static Stream<Example> answers(List<ChatExamples.Pair> pairs) {
        return pairs.stream().flatMap(pair -> Stream.of(pair.chosen(), pair.rejected()));
    }

    private static List<Example> numbered(List<Numbered> pairs) {
        return answers(pairs.stream().map(Numbered::pair).toList()).toList();
    }

    @Override
    public String name() {
        return "dpo";
    }

    @Override
    public long steps() {
        return portions.steps();
    }

    @Override
    public SequencedMap<String, Object> step(long step, double learningRate) {
        measureReference();
        long begin = System.nanoTime();
        last = portions.of(step);
        List<Example> answers = numbered(last);
        Judged judged = judge(last, Sft.logprobs(learner, answers));
        lastRewards = judged.rewards;
        learner.begin();
        for (Packed packed : Packed.of(answers, learner.tokens())) {
            double[] each = packed.examples().stream()
                    .mapToDouble(i -> judged.slopes[i] / last.size())
                    .toArray();
            learner.accumulate(packed.batch(), new WeightedLogprobLoss(packed.batch(), each));
        }
        SequencedMap<String, Object> figures = judged.figures();
        figures.put("grad_norm", learner.update(step, learningRate));
        figures.put("epoch", portions.epoch(step));
        figures.put("pairs", last.size());
        long tokens = answers.stream().mapToLong(answer -> answer.ids().length).sum();
        figures.put("tokens", tokens);
        figures.put("tokens_per_second", tokens / ((System.nanoTime() - begin) * 1e-9));
        return figures;
    }

    /// What some pairs say.
    ///
    /// @param loss mean over the pairs
    /// @param slopes of each answer's log-probability, chosen and rejected in turn
    /// @param rewards likewise
    /// @param right how many pairs are the right way round
    private record Judged(double loss, double[] slopes, double[] rewards, int right, double[] logprobs) {
        SequencedMap<String, Object> figures() {
            SequencedMap<String, Object> figures = new LinkedHashMap<>();
            double chosen = mean(rewards, 0);
            double rejected = mean(rewards, 1);
            figures.put("loss", loss);
            figures.put("accuracy", 2.0 * right / rewards.length);
            figures.put("margin", chosen - rejected);
            figures.put("reward/chosen", chosen);
            figures.put("reward/rejected", rejected);
            figures.put("logprob/chosen", mean(logprobs, 0));
            figures.put("logprob/rejected", mean(logprobs, 1));
            return figures;
        }

        private static double mean(double[] values, int first) {
            double sum = 0;
            for (int i = first; i < values.length; i += 2) {
                sum += values[i];
            }
            return 2 * sum / values.length;
        }
    }

    private Judged judge(List<Numbered> some, double[] logprobs) {
        double[] slopes = new double[logprobs.length];
        double[] rewards = new double[logprobs.length];
        double sum = 0;
        int right = 0;
        for (int i = 0; i < some.size(); i++) {
            int place = 2 * some.get(i).place;
            DpoLoss.Result result = loss.of(
                    new DpoLoss.Pair(logprobs[2 * i], logprobs[2 * i + 1], reference[place], reference[place + 1]));
            slopes[2 * i] = result.slopeChosen();
            slopes[2 * i + 1] = result.slopeRejected();
            rewards[2 * i] = result.rewardChosen();
            rewards[2 * i + 1] = result.rewardRejected();
            sum += result.loss();
            right += result.isRight() ? 1 : 0;
        }
        return new Judged(sum / some.size(), slopes, rewards, right, logprobs);
    }

    private void measureReference() {
        if (reference.length > 0) {
            return;
        }
        double[] measured = new double[2 * pairs.size()];
        try (Progress.Task task = progress.start("measuring the reference", pairs.size(), "pairs")) {
            for (int from = 0; from < pairs.size(); from += batchPairs) {
                int to = Math.min(pairs.size(), from + batchPairs);
                double[] some =
                        Sft.logprobs(learner, answers(pairs.subList(from, to)).toList());
                System.arraycopy(some, 0, measured, 2 * from, some.length);
                task.advance(to - from);
            }
        }
        reference = measured;
    }

    @Override
    public List<SequencedMap<String, Object>> samples() {
        List<SequencedMap<String, Object>> shown = new ArrayList<>();
        for (int i = 0; i < Math.min(SHOWN, last.size()); i++) {
            shown.add(sample(last.get(i).pair.chosen(), lastRewards[2 * i], "chosen"));
            shown.add(sample(last.get(i).pair.rejected(), lastRewards[2 * i + 1], "rejected"));
        }
        return shown;
    }

    private SequencedMap<String, Object> sample(Example example, double reward, String reason) {
        SequencedMap<String, Object> sample = Sft.sample(tokenizer, example);
        sample.put("reward", reward);
        sample.put("reason", reason);
        return sample;
    }

    @Override
    public SequencedMap<String, Object> evaluate() {
        if (portions.heldOut().isEmpty()) {
            return new LinkedHashMap<>();
        }
        measureReference();
        List<Numbered> pairs = portions.heldOut();
        return judge(pairs, Sft.logprobs(learner, numbered(pairs))).figures();
    }

    @Override
    public void save(Path folder) throws IOException {
        mark.save(folder);
        ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(Double.BYTES, reference.length));
        Arrays.stream(reference).forEach(bytes::putDouble);
        Files.write(folder.resolve(REFERENCE), bytes.array());
    }

    @Override
    public void restore(Path folder) throws IOException {
        mark.require(folder);
        byte[] bytes = Files.readAllBytes(folder.resolve(REFERENCE));
        if (bytes.length != 2L * Double.BYTES * pairs.size()) {
            throw new BadInput("%s has %d bytes, expected %d; resume from an earlier checkpoint, or begin a new run."
                    .formatted(folder.resolve(REFERENCE), bytes.length, 2L * Double.BYTES * pairs.size()));
        }
        reference = new double[2 * pairs.size()];
        ByteBuffer.wrap(bytes).asDoubleBuffer().get(reference);
    }

    @Override
    public void close() {}
}
