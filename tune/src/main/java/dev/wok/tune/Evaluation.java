package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;

/// How well a model answers problems that are held out. The same seed gives the same figures, however
/// many texts are generated at once.
public final class Evaluation {
    /// Samples that are begun before those of the first problem are all there.
    private static final int AHEAD = 512;

    /// What is asked.
    ///
    /// @param problems how many, the first of those that are held out; all where there are fewer
    /// @param samples of each
    /// @param seed of generated problems and of the draws
    public record Options(long problems, int samples, long seed) {
        public Options {
            require("problems", problems);
            require("samples of each problem", samples);
        }

        private static void require(String what, long count) {
            if (count < 1) {
                throw new BadInput("%d %s are asked for, expected 1 or more.".formatted(count, what));
            }
        }
    }

    /// A figure and where it lies with 95 % confidence.
    public record Interval(double value, double low, double high) {}

    /// A problem and what came of it.
    ///
    /// @param index of the problem in its split
    /// @param scores of the completions by the task's accuracy, in the same order
    public record Item(long index, Problem problem, List<Completion> completions, List<Reward.Score> scores) {
        public Item {
            completions = List.copyOf(completions);
            scores = List.copyOf(scores);
        }

        boolean isRight(int sample) {
            return scores.get(sample).value() >= 1;
        }

        /// @return to be written as JSON
        public SequencedMap<String, Object> figures() {
            List<Map<String, Object>> samples = new ArrayList<>();
            for (int i = 0; i < scores.size(); i++) {
                Completion completion = completions.get(i);
                SequencedMap<String, Object> sample = new LinkedHashMap<>();
                sample.put("text", completion.text());
                sample.put("tokens", completion.tokens());
                sample.put("truncated", completion.truncated());
                sample.put("score", scores.get(i).value());
                sample.put("reason", scores.get(i).reason());
                samples.add(sample);
            }
            SequencedMap<String, Object> figures = new LinkedHashMap<>();
            figures.put("problem", index);
            figures.put("question", problem.question());
            figures.put("answer", problem.answer());
            figures.put("samples", samples);
            return figures;
        }
    }

    /// What was found.
    ///
    /// @param task the task's name
    /// @param problems how many were asked
    /// @param samples of each
    /// @param passAt1 share of samples that are right, the mean over problems
    /// @param passAt by `k`, powers of two and `samples`: the probability that one or more of `k`
    ///     samples are right, the mean over problems
    /// @param majority the probability that the answer which most samples give is right, the mean
    ///     over problems
    /// @param meanTokens of completions, the token that ended them included
    /// @param truncated share of completions that the limit of tokens cut off
    /// @param wellFormed share of completions that say what their answer is
    public record Result(
            String task,
            long problems,
            int samples,
            Interval passAt1,
            Map<Integer, Double> passAt,
            double majority,
            double meanTokens,
            double truncated,
            double wellFormed) {
        public Result {
            passAt = new TreeMap<>(passAt);
        }

        /// @return to be written as JSON
        public SequencedMap<String, Object> figures() {
            SequencedMap<String, Object> figures = new LinkedHashMap<>();
            figures.put("task", task);
            figures.put("problems", problems);
            figures.put("samples", samples);
            figures.put("pass_at_1", passAt1.value());
            figures.put("pass_at_1_low", passAt1.low());
            figures.put("pass_at_1_high", passAt1.high());
            SequencedMap<String, Object> pass = new LinkedHashMap<>();
            passAt.forEach((k, value) -> pass.put(k.toString(), value));
            figures.put("pass_at", pass);
            figures.put("majority", majority);
            figures.put("mean_tokens", meanTokens);
            figures.put("truncated", truncated);
            figures.put("well_formed", wellFormed);
            return figures;
        }
    }

    private record Sample(Completion completion, Reward.Score score) {}

    private record Asked(long index, Problem problem, List<Future<Sample>> samples) {}

    private final Task task;
    private final Teacher model;
    private final Options options;
    private final Reward accuracy;
    private final List<Integer> right = new ArrayList<>();
    private double majorities;
    private long tokens;
    private long truncated;
    private double wellFormed;

    private Evaluation(Task task, Teacher model, Options options) {
        this.task = task;
        this.model = model;
        this.options = options;
        accuracy = task.accuracy();
    }

    /// Asks, and judges what comes.
    ///
    /// @param model an [Answerer], or whoever else answers
    /// @param each is given the problems in their order, as they come
    /// @throws BadInput where nothing is held out, or a question does not fit the model
    public static Result run(Task task, Teacher model, Options options, Progress progress, Consumer<Item> each) {
        return new Evaluation(task, model, options).run(progress, each);
    }

    private Result run(Progress progress, Consumer<Item> each) {
        long problems = Math.min(options.problems, task.size(Task.Split.HELD_OUT));
        if (problems == 0) {
            throw new BadInput("the task %s holds no problem out.".formatted(task.name()));
        }
        Rng seeds = new Rng(options.seed).split("evaluation");
        Deque<Asked> begun = new ArrayDeque<>();
        ExecutorService waiting = Executors.newVirtualThreadPerTaskExecutor();
        try (Progress.Task shown = progress.start("evaluating", problems * options.samples, "samples")) {
            for (long index = 0; index < problems; index++) {
                begun.add(ask(index, seeds.split(index), waiting));
                while ((long) begun.size() * options.samples > AHEAD) {
                    each.accept(counted(begun.remove(), shown));
                }
            }
            while (!begun.isEmpty()) {
                each.accept(counted(begun.remove(), shown));
            }
        } finally {
            waiting.shutdownNow();
        }
        return result();
    }

    private Asked ask(long index, Rng seeds, ExecutorService waiting) {
        Problem problem = task.problem(Task.Split.HELD_OUT, index, options.seed);
        List<Future<Sample>> samples = new ArrayList<>();
        for (int i = 0; i < options.samples; i++) {
            long seed = seeds.bits(i);
            samples.add(waiting.submit(() -> sample(problem, seed)));
        }
        return new Asked(index, problem, samples);
    }

    private Sample sample(Problem problem, long seed) {
        Completion completion = model.answer(problem.question(), seed);
        return new Sample(completion, accuracy.score(problem, completion));
    }

    private Item counted(Asked asked, Progress.Task shown) {
        List<Completion> completions = new ArrayList<>();
        List<Reward.Score> scores = new ArrayList<>();
        for (Future<Sample> future : asked.samples) {
            Sample sample = Futures.result(future);
            completions.add(sample.completion);
            scores.add(sample.score);
            tokens += sample.completion.tokens();
            truncated += sample.completion.truncated() ? 1 : 0;
        }
        Item item = new Item(asked.index, asked.problem, completions, scores);
        boolean[] verdicts = new boolean[options.samples];
        List<Optional<String>> answers = new ArrayList<>();
        int count = 0;
        for (int i = 0; i < verdicts.length; i++) {
            verdicts[i] = item.isRight(i);
            count += verdicts[i] ? 1 : 0;
            answers.add(task.answer(completions.get(i)));
            wellFormed += answers.getLast().isPresent() ? 1 : 0;
        }
        right.add(count);
        majorities += Estimates.majority(answers, verdicts);
        shown.advance(options.samples);
        shown.detail("pass@1 %.1f %%".formatted(100 * interval().value()));
        return item;
    }

    private Interval interval() {
        return Estimates.interval(right.stream().mapToInt(Integer::intValue).toArray(), options.samples);
    }

    private Result result() {
        int problems = right.size();
        double all = (double) problems * options.samples;
        Map<Integer, Double> passAt = new TreeMap<>();
        for (int k = 1; k < options.samples; k *= 2) {
            passAt.put(k, meanPassAt(k));
        }
        passAt.put(options.samples, meanPassAt(options.samples));
        return new Result(
                task.name(),
                problems,
                options.samples,
                interval(),
                passAt,
                majorities / problems,
                tokens / all,
                truncated / all,
                wellFormed / all);
    }

    private double meanPassAt(int k) {
        return right.stream()
                        .mapToDouble(count -> Estimates.passAt(options.samples, count, k))
                        .sum()
                / right.size();
    }
}
