package dev.wok.tune;

import dev.wok.generate.Sampling;
import dev.wok.model.LogitLoss;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import dev.wok.text.Tokenizer;
import dev.wok.train.RunFolder;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// Learning from a teacher: its answers, or its distributions. In the latter, at each token that a
/// text is to be learnt at, the student's distribution moves towards the teacher's. The texts are
/// given ones, the teacher's answers usually, and, as a share says, what the student itself writes
/// after their prompts (GKD: R. Agarwal et al., "On-policy distillation", 2024).
public final class Distillation implements Method {
    static final Run.Kind<Settings.DistillKeys> KIND = new Run.Kind<>(Settings.DistillKeys.class, Distillation::make);

    private static final String DATA = "data";
    private static final String TEACHER = "teacher";
    private static final String ANSWERS = "answers";
    private static final String CONFIG = "config.json";
    private static final int SHOWN = 4;

    private final Learner student;
    private final @Nullable Model teacher;
    private final @Nullable Scorer scorer;
    private final Tokenizer tokenizer;
    private final Portions<Example> portions;
    private final DataMark mark;
    private final @Nullable Task task;
    private final Settings.DistillKeys keys;
    private final long seed;
    private final Progress progress;
    private final @Nullable Rollouts rollouts;
    private List<Example> last = List.of();

    /// Begins a run.
    ///
    /// @param out its folder, made where it is missing
    /// @param model the student's folder
    /// @param teacher its folder, whose tokens are the student's; empty where only answers are learnt
    ///     from
    /// @param data texts to fine-tune on, such as [TeacherAnswers] wrote; none where the student
    ///     writes all texts, whose prompts are then the task's problems
    /// @throws BadInput where the folder holds a run already, or models, data and settings do not fit
    ///     together
    public static Run start(
            Path out,
            Path model,
            Optional<Path> teacher,
            List<Path> data,
            Settings<Settings.DistillKeys> settings,
            Progress progress) {
        check(out, model, teacher, settings);
        Map<String, List<String>> inputs = new LinkedHashMap<>();
        inputs.put(DATA, paths(data));
        if (!settings.method().loss().equals(ANSWERS)) {
            inputs.put(TEACHER, paths(List.of(teacher.orElseThrow())));
        }
        return Run.start(out, KIND, settings, model, inputs, progress);
    }

    /// Looks at what can be known before a teacher is asked for answers, and makes nothing. [#start]
    /// looks at the same.
    ///
    /// @param out the run's folder
    /// @param model the student's folder
    /// @param teacher its folder; empty where it is not one of this process
    /// @throws BadInput where the folder holds a run already, the student is no model folder, or the
    ///     teacher cannot give what is to be learnt
    public static void check(Path out, Path model, Optional<Path> teacher, Settings<Settings.DistillKeys> settings) {
        if (!settings.method().loss().equals(ANSWERS)) {
            Path folder = teacher.orElseThrow(
                    () -> new BadInput(
                            "distributions need a teacher in this process: name its folder, or learn from answers: loss=answers."));
            requireFolder("the teacher", folder, "give a folder, or learn from its answers alone: loss=answers");
        }
        requireFolder("the student", model, "name a folder, such as runs/nano/model");
        Model.config(model, Progress.silent());
        Tokenizer tokens = Tokenizer.load(model);
        if (!settings.method().loss().equals(ANSWERS)) {
            requireSameTokens(tokens, Tokenizer.load(teacher.orElseThrow()));
        }
        RunFolder.requireFree(out);
    }

    private static void requireFolder(String who, Path path, String instead) {
        if (Files.exists(path) && !Files.exists(path.resolve(CONFIG))) {
            throw new BadInput(
                    "%s, %s, is no model folder, expected %s in it; %s.".formatted(who, path, CONFIG, instead));
        }
    }

    private static List<String> paths(List<Path> paths) {
        return paths.stream().map(path -> path.toAbsolutePath().toString()).toList();
    }

    /// Goes on with a run where its last checkpoint was.
    ///
    /// @param options settings by key that were given again; only those that change no number may
    ///     differ
    /// @throws BadInput where there is no such run, or an option contradicts it
    public static Run resume(Path out, Map<String, String> options, Progress progress) {
        return Run.resume(out, KIND, options, progress);
    }

    private static Distillation make(Run.Place<Settings.DistillKeys> place) {
        Settings.DistillKeys keys = place.settings().method();
        Task task = keys.task().isEmpty() ? null : Tasks.of(keys.task(), place.progress());
        List<Example> texts = texts(place, task);
        Model teacher = keys.loss().equals(ANSWERS) ? null : teacher(place);
        try {
            return new Distillation(
                    place.learner(), teacher, place.tokenizer(), texts, task, place.settings(), place.progress());
        } catch (RuntimeException | Error e) {
            if (teacher != null) {
                teacher.close();
            }
            throw e;
        }
    }

    private static Model teacher(Run.Place<Settings.DistillKeys> place) {
        List<String> given = place.inputs().getOrDefault(TEACHER, List.of());
        if (given.isEmpty()) {
            throw new BadInput(
                    "distributions need a teacher in this process: name its folder, or learn from answers: loss=answers.");
        }
        Path folder = Path.of(given.getFirst());
        requireSameTokens(place.tokenizer(), Tokenizer.load(folder));
        return Model.open(folder, place.learner().model().kernels(), place.progress());
    }

    private static List<Example> texts(Run.Place<Settings.DistillKeys> place, @Nullable Task task) {
        Settings.DistillKeys keys = place.settings().method();
        List<Path> data = place.inputs().getOrDefault(DATA, List.of()).stream()
                .map(Path::of)
                .toList();
        if (!data.isEmpty()) {
            int context = place.learner().context();
            return new ChatExamples(place.tokenizer(), false, Math.min(keys.sequenceLength(), context), false)
                    .examples(ChatData.demonstrations(data, place.progress()), place.progress());
        }
        if (keys.onPolicyShare() < 1 || task == null) {
            throw new BadInput("there is no data to learn from; give some, or a task whose problems the student answers"
                    + " itself: on_policy_share=1.");
        }
        List<Example> prompts = new ArrayList<>();
        for (long i = 0; i < Math.min(keys.problems(), task.size(Task.Split.TRAIN)); i++) {
            String question = task.problem(
                            Task.Split.TRAIN, i, place.settings().compute().seed())
                    .question();
            int[] ids = Prompts.ids(place.tokenizer(), Prompts.Form.of(keys.promptForm()), question);
            prompts.add(new Example(ids, new boolean[ids.length]));
        }
        return prompts;
    }

    /// @param student stays the caller's
    /// @param teacher closed with this; null where answers are learnt from
    /// @param texts with the tokens to learn at; those of which the student writes all answers need
    ///     none
    /// @param task whose held-out problems measure the student; null for none
    /// @throws BadInput where a text does not fit into a micro-batch, or has nothing to learn
    Distillation(
            Learner student,
            @Nullable Model teacher,
            Tokenizer tokenizer,
            List<Example> texts,
            @Nullable Task task,
            Settings<Settings.DistillKeys> settings,
            Progress progress) {
        this.student = student;
        this.teacher = teacher;
        this.tokenizer = tokenizer;
        this.task = task;
        this.progress = progress;
        keys = settings.method();
        seed = settings.compute().seed();
        requireFit(texts);
        portions = new Portions<>(texts, 0, keys.epochs(), keys.batchExamples(), seed);
        mark = DataMark.of(texts.stream());
        scorer = teacher == null
                ? null
                : new Scorer(teacher, student.model().config().vocabSize());
        boolean draws = keys.onPolicyShare() > 0 || task != null && keys.heldOutProblems() > 0;
        rollouts = draws ? new Rollouts(student.model(), tokenizer, keys.batchExamples()) : null;
    }

    private void requireFit(List<Example> texts) {
        if (texts.isEmpty()) {
            throw new BadInput("there is no text to learn from; give data, or more problems.");
        }
        for (Example text : texts) {
            if (keys.onPolicyShare() < 1 && text.targets() == 0) {
                throw new BadInput("a text has nothing to learn, expected an answer after its prompt; or the student"
                        + " writes all of them: on_policy_share=1.");
            }
            int own = keys.onPolicyShare() > 0 ? prompt(text).length + keys.maxNewTokens() : 0;
            int longest = Math.max(own, text.ids().length);
            if (longest > student.tokens()) {
                throw new BadInput(
                        "a text may have %d tokens, a micro-batch holds %d; raise micro_batch_tokens, or lower"
                                        .formatted(longest, student.tokens())
                                + " sequence_length or max_new_tokens.");
            }
        }
    }

    /// Refuses a teacher that has other tokens than the student.
    ///
    /// @throws BadInput where an id stands for something else
    static void requireSameTokens(Tokenizer student, Tokenizer teacher) {
        List<byte[]> ours = student.vocabulary();
        List<byte[]> theirs = teacher.vocabulary();
        String instead = "learn from the teacher's answers alone: loss=answers.";
        if (ours.size() != theirs.size()) {
            throw new BadInput("the teacher's tokenizer has %d tokens, the student's %d; distributions need the same: "
                            .formatted(theirs.size(), ours.size())
                    + instead);
        }
        for (int id = 0; id < ours.size(); id++) {
            if (!Arrays.equals(ours.get(id), theirs.get(id)) || student.isSpecial(id) != teacher.isSpecial(id)) {
                throw new BadInput(
                        "token %d is '%s' for the teacher and '%s' for the student; distributions need the same"
                                        .formatted(id, text(theirs.get(id)), text(ours.get(id)))
                                + " tokenizer: "
                                + instead);
            }
        }
    }

    private static String text(byte[] token) {
        return new String(token, StandardCharsets.UTF_8);
    }

    @Override
    public String name() {
        return "distill";
    }

    @Override
    public long steps() {
        return portions.steps();
    }

    @Override
    public SequencedMap<String, Object> step(long step, double learningRate) {
        Rng rng = new Rng(seed).split("distill").split(step);
        List<Example> off = new ArrayList<>();
        List<int[]> prompts = new ArrayList<>();
        List<Example> portion = portions.of(step);
        for (int i = 0; i < portion.size(); i++) {
            if (rng.uniform(i) < keys.onPolicyShare()) {
                prompts.add(prompt(portion.get(i)));
            } else {
                off.add(portion.get(i));
            }
        }
        last = new ArrayList<>(drawn(prompts, rng));
        last.addAll(off);
        SequencedMap<String, Object> figures = new LinkedHashMap<>();
        learning(() -> figures.putAll(learn(step, learningRate)));
        figures.put("on_policy", prompts.size() / (double) portion.size());
        figures.put("epoch", portions.epoch(step));
        return figures;
    }

    private List<Example> drawn(List<int[]> prompts, Rng rng) {
        if (rollouts == null || prompts.isEmpty()) {
            return List.of();
        }
        Sampling sampling = Sampling.atTemperature(keys.sampleTemperature());
        return rollouts.draw(prompts, 1, sampling, keys.maxNewTokens(), rng.split("draws")).stream()
                .map(Rollout::example)
                .toList();
    }

    private void learning(Runnable use) {
        if (rollouts == null) {
            use.run();
        } else {
            rollouts.learning(use);
        }
    }

    private SequencedMap<String, Object> learn(long step, double learningRate) {
        long targets = last.stream().mapToLong(Example::targets).sum();
        List<Packed> batches = Packed.of(last, student.tokens());
        SequencedMap<String, Object> figures = new LinkedHashMap<>();
        student.begin();
        if (scorer == null) {
            figures.put("loss", Sft.learn(student, batches, targets));
        } else {
            DistillLoss.Metrics metrics = learnDistributions(scorer, batches, targets);
            figures.put("loss", metrics.loss());
            figures.put("cross_entropy", metrics.crossEntropy());
            figures.put("entropy", metrics.entropy());
        }
        figures.put("grad_norm", student.update(step, learningRate));
        figures.put("tokens", last.stream().mapToLong(text -> text.ids().length).sum());
        figures.put("targets", targets);
        figures.put("length", targets / (double) last.size());
        return figures;
    }

    private DistillLoss.Metrics learnDistributions(Scorer teacher, List<Packed> batches, long targets) {
        DistillLoss loss = new DistillLoss(new DistillLoss.Options(beta(), keys.temperature()), targets);
        for (Packed packed : batches) {
            Scorer.Reading reading = teacher.read(packed.batch());
            LogitLoss learnt = loss.on(packed.batch(), reading::logits);
            student.accumulate(packed.batch(), (rows, logits) -> {
                reading.advance(rows);
                learnt.gradient(rows, logits);
            });
        }
        return loss.metrics();
    }

    private double beta() {
        return switch (keys.loss()) {
            case "forward_kl" -> 0;
            case "reverse_kl" -> 1;
            case "jsd" -> keys.jsdBeta();
            default -> throw new BadInput("loss %s is not one of distributions.".formatted(keys.loss()));
        };
    }

    /// @return what stands before the first token to be learnt
    private static int[] prompt(Example text) {
        int first = 0;
        while (first < text.ids().length && !text.learn()[first]) {
            first++;
        }
        return Arrays.copyOf(text.ids(), first);
    }

    @Override
    public List<SequencedMap<String, Object>> samples() {
        List<SequencedMap<String, Object>> shown = new ArrayList<>();
        for (Example text : last.subList(0, Math.min(SHOWN, last.size()))) {
            shown.add(Sft.sample(tokenizer, text));
        }
        return shown;
    }

    @Override
    public SequencedMap<String, Object> evaluate() {
        if (rollouts == null || task == null || keys.heldOutProblems() == 0) {
            return new LinkedHashMap<>();
        }
        Answerer.Options options = new Answerer.Options(
                Prompts.Form.of(keys.promptForm()),
                keys.maxNewTokens(),
                Sampling.atTemperature(keys.heldOutSamples() == 1 ? 0 : keys.sampleTemperature()));
        Answerer answerer =
                new Answerer(rollouts.engine(), student.model().config(), tokenizer, options, "the student");
        Evaluation.Options asked = new Evaluation.Options(keys.heldOutProblems(), keys.heldOutSamples(), seed);
        return Evaluation.run(task, answerer, asked, progress, _ -> {}).figures();
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
    public void close() {
        if (rollouts != null) {
            rollouts.close();
        }
        if (scorer != null) {
            scorer.close();
        }
        if (teacher != null) {
            teacher.close();
        }
    }
}
