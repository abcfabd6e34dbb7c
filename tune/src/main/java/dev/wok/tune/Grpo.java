package dev.wok.tune;

import dev.wok.generate.Sampling;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.text.Permutation;
import dev.wok.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.jspecify.annotations.Nullable;

/// Group relative policy optimization (DeepSeekMath, 4.1; DeepSeek-R1, 2.2): answers to a question
/// are drawn from the model that learns, in this process and on its weights as they are, judged by
/// rules, and made likelier or less likely by how each compares with the others to the same question.
public final class Grpo implements Method {
    static final Run.Kind<Settings.GrpoKeys> KIND = new Run.Kind<>(Settings.GrpoKeys.class, Grpo::make);

    private static final int SHOWN = 4;
    private static final int MOST_LEFT_OUT = 10_000;
    private static final String REFERENCE = "reference";
    private static final String PLACE = "problems.txt";

    /// A question, what was drawn for it, and how that was judged.
    private record Group(
            Problem problem,
            List<Rollout> rollouts,
            List<Completion> completions,
            List<Rewards.Judgement> judgements,
            double[] rewards) {
        boolean isEqual() {
            return Advantages.isEqual(rewards);
        }
    }

    private final Learner learner;
    private final Tokenizer tokenizer;
    private final Task task;
    private final Rewards rewards;
    private final Settings.GrpoKeys keys;
    private final long seed;
    private final Progress progress;
    private final Rollouts rollouts;
    private final @Nullable Reference reference;
    private final DataMark mark;
    private long nextProblem;
    private long leftOut;
    private boolean referenceMoved;
    private List<Group> last = List.of();

    /// Begins a run.
    ///
    /// @param out its folder, made where it is missing
    /// @param model a model folder
    /// @throws BadInput where the folder holds a run already, or model, task and settings do not fit
    ///     together
    public static Run start(Path out, Path model, Settings<Settings.GrpoKeys> settings, Progress progress) {
        return Run.start(out, KIND, settings, model, Map.of(), progress);
    }

    /// Goes on with a run where its last checkpoint was.
    ///
    /// @param options settings by key that were given again; only those that change no number may
    ///     differ
    /// @throws BadInput where there is no such run, or an option contradicts it
    public static Run resume(Path out, Map<String, String> options, Progress progress) {
        return Run.resume(out, KIND, options, progress);
    }

    private static Grpo make(Run.Place<Settings.GrpoKeys> place) {
        Settings.GrpoKeys keys = place.settings().method();
        Task task = Tasks.of(keys.task(), place.progress());
        Rewards rewards = Rewards.parse(task, keys.reward(), place.progress());
        if (task.size(Task.Split.TRAIN) == 0) {
            throw new BadInput(
                    "the task %s has no problem to train on; all of them are held out.".formatted(task.name()));
        }
        int longest = longest(place.learner());
        if (keys.maxNewTokens() >= longest) {
            throw new BadInput("max_new_tokens is %d, but questions and answers have room for %d together; lower it%s."
                    .formatted(
                            keys.maxNewTokens(),
                            longest,
                            longest == place.learner().tokens() ? ", or raise micro_batch_tokens" : ""));
        }
        if (keys.oldLogprobs().equals("sampler") && keys.temperature() != 1) {
            place.progress()
                    .say("old_logprobs: at temperature %s ratios are to the trainer's probabilities, not the sampler's."
                            .formatted(keys.temperature()));
        }
        Model initial = keys.keepsReference(place.learner().adapters().isPresent())
                ? Model.load(place.model(), place.learner().model().kernels(), DType.F32, Progress.silent())
                : null;
        return new Grpo(place.learner(), initial, place.tokenizer(), task, rewards, place.settings(), place.progress());
    }

    /// @return the tokens of a question and its answer, at most
    private static int longest(Learner learner) {
        return Math.min(learner.tokens(), learner.context());
    }

    /// @param learner stays the caller's
    /// @param initial the model as it was before the first step, closed with this; null where none is
    ///     kept ([Settings.GrpoKeys#keepsReference])
    Grpo(
            Learner learner,
            @Nullable Model initial,
            Tokenizer tokenizer,
            Task task,
            Rewards rewards,
            Settings<Settings.GrpoKeys> settings,
            Progress progress) {
        this.learner = learner;
        this.tokenizer = tokenizer;
        this.task = task;
        this.rewards = rewards;
        this.progress = progress;
        keys = settings.method();
        seed = settings.compute().seed();
        rollouts = new Rollouts(learner.model(), tokenizer, keys.promptsPerStep() * keys.groupSize());
        reference = reference(initial);
        mark = DataMark.of(task);
    }

    private @Nullable Reference reference(@Nullable Model initial) {
        if (initial != null) {
            return new Reference(initial);
        }
        return keys.beta() > 0
                ? Reference.beneath(learner.model(), learner.adapters().orElseThrow())
                : null;
    }

    @Override
    public String name() {
        return "grpo";
    }

    @Override
    public long steps() {
        return keys.steps();
    }

    @Override
    public SequencedMap<String, Object> step(long step, double learningRate) {
        long begin = System.nanoTime();
        if (reference != null && keys.referenceEvery() > 0 && step > 1 && (step - 1) % keys.referenceEvery() == 0) {
            rollouts.learning(() -> reference.become(learner.model()));
            referenceMoved = true;
        }
        List<Group> all = new ArrayList<>();
        last = collect(new Rng(seed).split("grpo").split(step), all);
        long drawn = System.nanoTime();
        Advantages advantages = Advantages.of(last.stream().map(Group::rewards).toList(), scale(), Advantages.EPSILON);
        GrpoUpdates updates = new GrpoUpdates(learner, reference, keys, step, learningRate);
        rollouts.learning(() -> updates.run(last.stream().map(Group::rollouts).toList(), advantages.groups()));
        return figures(all, advantages, updates, (drawn - begin) * 1e-9, (System.nanoTime() - drawn) * 1e-9);
    }

    private Advantages.Scale scale() {
        return Words.constant("scale_rewards", Advantages.Scale.class, keys.scaleRewards());
    }

    /// @param all gets every group that was drawn, those that are not learnt from included
    /// @return the groups to learn from
    private List<Group> collect(Rng rng, List<Group> all) {
        List<Group> kept = new ArrayList<>();
        for (int attempt = 0; kept.size() < keys.promptsPerStep() && attempt <= keys.maxResamples(); attempt++) {
            List<Group> groups = draw(keys.promptsPerStep() - kept.size(), rng.split(attempt));
            all.addAll(groups);
            boolean fills = !keys.dynamicSampling() || attempt == keys.maxResamples();
            groups.stream().filter(group -> fills || !group.isEqual()).forEach(kept::add);
        }
        return kept;
    }

    private List<Group> draw(int count, Rng rng) {
        List<Problem> problems = new ArrayList<>();
        List<int[]> prompts = new ArrayList<>();
        for (int tooLong = 0; problems.size() < count; ) {
            long place = Permutation.place(nextProblem++, task.size(Task.Split.TRAIN), seed);
            Problem problem = task.problem(Task.Split.TRAIN, place, seed);
            int[] prompt = Prompts.ids(tokenizer, form(), problem.question());
            if (prompt.length + keys.maxNewTokens() <= longest(learner)) {
                problems.add(problem);
                prompts.add(prompt);
            } else {
                leaveOut(++tooLong, prompt.length);
            }
        }
        List<Rollout> drawn = rollouts.draw(
                prompts, keys.groupSize(), Sampling.atTemperature(keys.temperature()), keys.maxNewTokens(), rng);
        List<Completion> completions = drawn.stream().map(this::completion).toList();
        List<Rewards.Judgement> judgements = judge(problems, completions);
        List<Group> groups = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int from = i * keys.groupSize();
            int to = from + keys.groupSize();
            groups.add(new Group(
                    problems.get(i),
                    drawn.subList(from, to),
                    completions.subList(from, to),
                    judgements.subList(from, to),
                    rewards(completions.subList(from, to), judgements.subList(from, to))));
        }
        return groups;
    }

    private void leaveOut(int inARow, int tokens) {
        if (leftOut++ == 0) {
            progress.say(
                    "a question of %d tokens leaves less than max_new_tokens %d of %d; such questions are left out."
                            .formatted(tokens, keys.maxNewTokens(), longest(learner)));
        }
        if (inARow > MOST_LEFT_OUT) {
            throw new BadInput("%,d questions in a row are too long, the last has %d tokens; lower max_new_tokens."
                    .formatted(inARow, tokens));
        }
    }

    private Prompts.Form form() {
        return Prompts.Form.of(keys.promptForm());
    }

    private Completion completion(Rollout rollout) {
        int[] answer = rollout.answer();
        int[] text = rollout.truncated() ? answer : Arrays.copyOf(answer, answer.length - 1);
        return new Completion(tokenizer.decode(text, true), answer.length, rollout.truncated());
    }

    /// Programs that are run take time, and wait for processes.
    private List<Rewards.Judgement> judge(List<Problem> problems, List<Completion> completions) {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<Rewards.Judgement>> judged = new ArrayList<>();
            for (int i = 0; i < completions.size(); i++) {
                Problem problem = problems.get(i / keys.groupSize());
                Completion completion = completions.get(i);
                judged.add(threads.submit(() -> rewards.judge(problem, completion)));
            }
            return judged.stream().map(Futures::result).toList();
        }
    }

    private double[] rewards(List<Completion> completions, List<Rewards.Judgement> judgements) {
        double[] values = new double[judgements.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = judgements.get(i).total();
            if (keys.overlongCache() > 0) {
                values[i] +=
                        Advantages.overlong(completions.get(i).tokens(), keys.maxNewTokens(), keys.overlongCache(), 1);
            }
        }
        return values;
    }

    private SequencedMap<String, Object> figures(
            List<Group> all, Advantages advantages, GrpoUpdates updates, double drawing, double learning) {
        SequencedMap<String, Object> line = new LinkedHashMap<>(updates.figures());
        double[] values =
                all.stream().flatMapToDouble(g -> Arrays.stream(g.rewards)).toArray();
        double mean = Arrays.stream(values).average().orElse(0);
        line.put("reward", mean);
        line.put(
                "reward_deviation",
                Math.sqrt(Arrays.stream(values)
                        .map(value -> (value - mean) * (value - mean))
                        .average()
                        .orElse(0)));
        SequencedMap<String, double[]> parts = new LinkedHashMap<>();
        all.stream()
                .flatMap(g -> g.judgements.stream())
                .forEach(judgement -> judgement
                        .parts()
                        .forEach((name, score) -> parts.computeIfAbsent(name, _ -> new double[1])[0] += score.value()));
        parts.forEach((name, sum) -> line.put("reward/" + name, sum[0] / values.length));
        line.put("equal_groups", (double) advantages.equal() / last.size());
        List<Completion> completions =
                all.stream().flatMap(g -> g.completions.stream()).toList();
        long tokens = completions.stream().mapToLong(Completion::tokens).sum();
        line.put("length", (double) tokens / completions.size());
        line.put(
                "longest",
                completions.stream().mapToInt(Completion::tokens).max().orElse(0));
        line.put("truncated", completions.stream().filter(Completion::truncated).count() / (double) completions.size());
        line.put("samples", completions.size());
        line.put("left_out", leftOut);
        line.put("samples_per_second", completions.size() / (drawing + learning));
        line.put("completion_tokens_per_second", tokens / (drawing + learning));
        line.put("drawing_seconds", drawing);
        line.put("learning_seconds", learning);
        return line;
    }

    @Override
    public List<SequencedMap<String, Object>> samples() {
        List<SequencedMap<String, Object>> shown = new ArrayList<>();
        for (Group group : last.subList(0, Math.min(SHOWN, last.size()))) {
            SequencedMap<String, Object> sample = new LinkedHashMap<>();
            sample.put("prompt", group.problem.question());
            sample.put("text", group.completions.getFirst().text());
            sample.put("reward", group.rewards[0]);
            sample.put("reason", group.judgements.getFirst().reason());
            shown.add(sample);
        }
        return shown;
    }

    @Override
    public SequencedMap<String, Object> evaluate() {
        if (keys.heldOutProblems() == 0) {
            return new LinkedHashMap<>();
        }
        Answerer.Options options =
                new Answerer.Options(form(), keys.maxNewTokens(), Sampling.atTemperature(keys.temperature()));
        Answerer answerer =
                new Answerer(rollouts.engine(), learner.model().config(), tokenizer, options, "the model that learns");
        Evaluation.Options asked = new Evaluation.Options(keys.heldOutProblems(), keys.heldOutSamples(), seed);
        return Evaluation.run(task, answerer, asked, progress, _ -> {}).figures();
    }

    @Override
    public void save(Path folder) throws IOException {
        mark.save(folder);
        Files.writeString(folder.resolve(PLACE), nextProblem + "\n");
        if (reference != null && referenceMoved) {
            reference.model().save(folder.resolve(REFERENCE));
        }
    }

    @Override
    public void restore(Path folder) throws IOException {
        mark.require(folder);
        nextProblem = Long.parseLong(Files.readString(folder.resolve(PLACE)).strip());
        if (reference != null && Files.isDirectory(folder.resolve(REFERENCE))) {
            try (Model moved =
                    Model.load(folder.resolve(REFERENCE), learner.model().kernels(), DType.F32, progress)) {
                reference.become(moved);
            }
            referenceMoved = true;
        }
    }

    @Override
    public void close() {
        rollouts.close();
        if (reference != null) {
            reference.close();
        }
    }
}
