package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import dev.wok.train.Durable;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.Semaphore;
import tools.jackson.databind.json.JsonMapper;

/// Data to fine-tune on: what a teacher answers to a task's problems, of which a reward decides what
/// is kept.
///
/// All answers are kept beside the data, in a file that ends in `.asked`, as they come: what is
/// interrupted goes on there, and nothing is asked twice, also with more problems, more samples or
/// another reward.
public final class TeacherAnswers {
    private static final JsonMapper JSON = new JsonMapper();

    /// Questions that tell an endless task from others; of one that ends all do.
    private static final long TELLING = 64;

    /// Refusals without any answer that are the teacher's fault, not the questions'.
    private static final int MOST_REFUSED = 8;

    private static final Completion REFUSED = new Completion("", 0, true);

    /// What is asked, and kept.
    ///
    /// @param named the task, as the user did, with its parameters
    /// @param problems to train on, the first of the task; all where there are fewer
    /// @param samples of each
    /// @param reward judges answers
    /// @param keepReward the least of an answer that is kept; answers that were cut off are not
    /// @param form in which the student will be asked: with the model's template the data are
    ///     conversations in OpenAI's form, else pairs of `prompt` and `completion`
    /// @param seed of generated problems and of the draws
    public record Options(
            String named, long problems, int samples, Reward reward, double keepReward, Prompts.Form form, long seed) {
        public Options {
            if (problems < 1 || samples < 1) {
                throw new BadInput("%d answers to %d problems are asked for, expected 1 or more of both."
                        .formatted(samples, problems));
            }
        }
    }

    /// What came of it.
    ///
    /// @param asked answers
    /// @param kept of those, how many the data hold
    public record Outcome(long asked, long kept) {}

    private final Teacher teacher;
    private final Task task;
    private final Options options;
    private final Path file;
    private final Progress progress;
    private final long problems;
    private volatile boolean failed;

    private TeacherAnswers(Teacher teacher, Task task, Options options, Path file, Progress progress) {
        this.teacher = teacher;
        this.task = task;
        this.options = options;
        this.file = file;
        this.progress = progress;
        problems = Math.min(options.problems, task.size(Task.Split.TRAIN));
    }

    /// Asks what was not asked before, and writes the data.
    ///
    /// @param file gets a JSON object a line, in the order of the problems; it is there as a whole or
    ///     not at all
    /// @throws BadInput where the file cannot be written, the teacher fails, answers beside the file
    ///     are another teacher's, or none is to be kept
    public static Outcome write(Teacher teacher, Task task, Options options, Path file, Progress progress) {
        return new TeacherAnswers(teacher, task, options, file, progress).write();
    }

    private Outcome write() {
        try (AskedFile asked = AskedFile.open(file.resolveSibling(file.getFileName() + ".asked"), origin())) {
            ask(asked);
            long[] kept = new long[1];
            Durable.write(file, out -> kept[0] = keep(asked, out));
            return new Outcome(problems * options.samples, kept[0]);
        } catch (IOException e) {
            throw BadInput.writing(file, e);
        }
    }

    private String origin() {
        SequencedMap<String, Object> origin = new LinkedHashMap<>();
        origin.put("teacher", teacher.name());
        origin.put("task", options.named);
        origin.put("questions", questions());
        origin.put("seed", options.seed);
        return JSON.writeValueAsString(origin);
    }

    /// @return a hash of what the task asks, however much of it is asked
    private String questions() {
        long size = task.size(Task.Split.TRAIN);
        MessageDigest digest = DataMark.sha256();
        for (long i = 0; i < (size == Long.MAX_VALUE ? TELLING : size); i++) {
            DataMark.add(digest, problem(i).question());
        }
        return HexFormat.of().formatHex(digest.digest(), 0, 8);
    }

    private void ask(AskedFile asked) {
        Semaphore room = new Semaphore(teacher.atOnce());
        Deque<Future<?>> begun = new ArrayDeque<>();
        Refused refused = new Refused(asked);
        // Closing waits: an answer that was begun may be paid for, and is kept whatever became of others.
        try (Progress.Task shown = progress.start("asking the teacher", problems * options.samples, "answers");
                ExecutorService waiting = Executors.newVirtualThreadPerTaskExecutor()) {
            for (long problem = 0; problem < problems && !failed; problem++) {
                for (int sample = 0; sample < options.samples && !failed; sample++) {
                    AskedFile.Place place = new AskedFile.Place(problem, sample);
                    if (asked.has(place)) {
                        shown.advance(1);
                        continue;
                    }
                    room.acquireUninterruptibly();
                    begun.add(waiting.submit(() -> ask(place, asked, refused, room)));
                    while (!begun.isEmpty() && begun.peek().isDone()) {
                        Futures.result(begun.remove());
                        shown.advance(1);
                    }
                }
            }
            while (!begun.isEmpty()) {
                Futures.result(begun.remove());
                shown.advance(1);
            }
        }
        refused.end(progress);
    }

    private void ask(AskedFile.Place place, AskedFile asked, Refused refused, Semaphore room) {
        try {
            long seed = new Rng(options.seed)
                    .split("teacher")
                    .split(place.problem())
                    .bits(place.sample());
            Completion completion;
            try {
                completion = teacher.answer(problem(place.problem()).question(), seed);
            } catch (Teacher.Refusal e) {
                refused.add(place, e);
                return;
            }
            asked.add(place, completion);
            refused.answered();
        } catch (RuntimeException | Error e) {
            failed = true;
            throw e;
        } finally {
            room.release();
        }
    }

    /// Questions that are refused for good. They are held back until one is answered: a teacher that
    /// refuses all of them is asked wrongly, and nothing of that is to be kept.
    private static final class Refused {
        private final AskedFile asked;
        private final List<AskedFile.Place> held = new ArrayList<>();
        private boolean answers;
        private long count;
        private String why = "";

        Refused(AskedFile asked) {
            this.asked = asked;
            answers = !asked.isEmpty();
        }

        synchronized void add(AskedFile.Place place, Teacher.Refusal refusal) {
            if (count++ == 0) {
                why = String.valueOf(refusal.getMessage());
            }
            if (answers) {
                asked.add(place, REFUSED);
                return;
            }
            held.add(place);
            if (held.size() >= MOST_REFUSED) {
                throw new BadInput(why);
            }
        }

        synchronized void answered() {
            answers = true;
            held.forEach(place -> asked.add(place, REFUSED));
            held.clear();
        }

        /// @throws BadInput where nothing else came
        synchronized void end(Progress progress) {
            if (!held.isEmpty()) {
                throw new BadInput(why);
            }
            if (count > 0) {
                progress.say(
                        "%,d questions were refused and count as not answered; the first: %s".formatted(count, why));
            }
        }
    }

    private Problem problem(long index) {
        return task.problem(Task.Split.TRAIN, index, options.seed);
    }

    /// @return how many
    /// @throws BadInput where that is none
    private long keep(AskedFile asked, OutputStream out) throws IOException {
        long kept = 0;
        try (Progress.Task shown = progress.start("judging answers", problems * options.samples, "answers")) {
            for (long index = 0; index < problems; index++) {
                Problem problem = problem(index);
                for (int sample = 0; sample < options.samples; sample++) {
                    Completion completion = asked.get(new AskedFile.Place(index, sample));
                    double reward = options.reward.score(problem, completion).value();
                    if (reward >= options.keepReward && !completion.truncated()) {
                        String json = JSON.writeValueAsString(line(problem, completion.text(), reward));
                        out.write((json + "\n").getBytes(StandardCharsets.UTF_8));
                        kept++;
                    }
                    shown.advance(1);
                }
            }
        }
        if (kept == 0) {
            throw new BadInput(
                    "none of %d answers has a reward of %s or more; lower keep_reward, or ask another teacher."
                            .formatted(problems * options.samples, options.keepReward));
        }
        return kept;
    }

    private SequencedMap<String, Object> line(Problem problem, String answer, double reward) {
        SequencedMap<String, Object> line = new LinkedHashMap<>();
        switch (options.form) {
            case CHAT ->
                line.put("messages", List.of(message("user", problem.question()), message("assistant", answer)));
            case PLAIN, R1_ZERO -> {
                line.put("prompt", Prompts.plain(options.form, problem.question()));
                line.put("completion", answer);
            }
        }
        line.put("reward", reward);
        return line;
    }

    private static Map<String, String> message(String role, String content) {
        SequencedMap<String, String> message = new LinkedHashMap<>();
        message.put("role", role);
        message.put("content", content);
        return message;
    }
}
