package dev.wok.cli;

import dev.wok.api.Model;
import dev.wok.device.DeviceName;
import dev.wok.generate.Sampling;
import dev.wok.notice.BadInput;
import dev.wok.tune.Distillation;
import dev.wok.tune.Prompts;
import dev.wok.tune.Rewards;
import dev.wok.tune.Run;
import dev.wok.tune.Settings;
import dev.wok.tune.Task;
import dev.wok.tune.Tasks;
import dev.wok.tune.Teacher;
import dev.wok.tune.TeacherAnswers;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/// `wok distill`: a student learns from a teacher.
@Command(
        name = "distill",
        description = {
            "Lets a teacher, a model folder or a server that speaks OpenAI's chat completions, answer a task's problems,"
                    + " keeps the answers that are right, and teaches them to a student. With a model folder whose"
                    + " tokens are the student's, the student learns the teacher's distributions, on its own texts too.",
            "Ctrl-C finishes the step, saves, and says how to go on. No answer is asked for twice."
        },
        sortOptions = false,
        footer = {"", "Example:", "  wok distill runs/nano/model --teacher runs/r1/model --task countdown"})
final class DistillCommand extends TuneCommand {
    private static final int TRIES = 8;
    private static final Duration PAUSE = Duration.ofSeconds(1);

    @Option(
            names = "--teacher",
            paramLabel = "DIR|URL",
            description = "A model folder, or an address such as" + " https://api.deepseek.com/v1.")
    @Nullable
    String teacher;

    @Option(names = "--teacher-model", paramLabel = "NAME", description = "With an address: the model's name there.")
    @Nullable
    String teacherModel;

    @Option(
            names = "--key-variable",
            paramLabel = "NAME",
            defaultValue = "WOK_TEACHER_KEY",
            description = "With an address: the environment variable that holds the key, if there is one (default:"
                    + " WOK_TEACHER_KEY).")
    String keyVariable = "WOK_TEACHER_KEY";

    @Option(
            names = "--connections",
            paramLabel = "N",
            defaultValue = "8",
            description = "With an address: questions at once (default: 8).")
    int connections = 8;

    @Option(
            names = "--timeout",
            paramLabel = "S",
            defaultValue = "600",
            description = "With an address: seconds that an answer may take (default: 600).")
    int timeout = 600;

    @Option(
            names = "--task",
            paramLabel = "NAME",
            description =
                    "A built-in task, with parameters such as" + " countdown:numbers=3, or a .jsonl file of problems.")
    @Nullable
    String task;

    @Option(
            names = "--data",
            paramLabel = "PATH",
            description = "Texts to learn at, in place of the teacher's answers; files as for wok sft. May be given"
                    + " again.")
    List<Path> data = List.of();

    @Option(
            names = "--answers",
            paramLabel = "FILE",
            description = "Where the teacher's answers go, to fine-tune on (default: OUT.answers.jsonl).")
    @Nullable
    Path answers;

    @Option(names = "--answers-only", description = "Write the teacher's answers and train nothing; needs no MODEL.")
    boolean answersOnly;

    @Option(
            names = "--teacher-form",
            paramLabel = "F",
            description = "How the teacher in a folder is asked: plain, chat or r1_zero (default: as the student,"
                    + " prompt_form).")
    @Nullable
    String teacherForm;

    private final Console console;
    private final Display display;

    DistillCommand(Console console, Display display) {
        super(console, display, Settings.Kind.DISTILL);
        this.console = console;
        this.display = display;
    }

    @Override
    void add(Map<String, String> options) {
        put(options, "task", "--task", task);
        if (teacher != null && RemoteTeacher.isAddress(teacher)) {
            options.putIfAbsent("loss", "answers");
        }
        if (!data.isEmpty() && !options.containsKey("task")) {
            options.put("task", "");
        }
    }

    @Override
    public Integer call() {
        if (!answersOnly || resume) {
            return super.call();
        }
        if (answers == null) {
            throw new BadInput("--answers-only needs the file: --answers FILE.");
        }
        console.out().println(answer(Settings.distill(options()), answers));
        return 0;
    }

    @Override
    Settings<?> settings(Map<String, String> options) {
        return Settings.distill(options);
    }

    @Override
    Run start(Path folder, Path from, Map<String, String> options, Display progress) {
        Settings<Settings.DistillKeys> settings = Settings.distill(options);
        boolean own = settings.method().onPolicyShare() == 1;
        Optional<Path> local = teacher == null || RemoteTeacher.isAddress(teacher)
                ? Optional.empty()
                : Optional.of(Given.path(teacher));
        List<Path> texts = new ArrayList<>(data);
        boolean asks = texts.isEmpty() && !own;
        if (asks) {
            teacher();
        }
        // Before answers are paid for.
        Distillation.check(folder, from, local, settings);
        if (asks) {
            Path file = answers == null ? folder.resolveSibling(folder.getFileName() + ".answers.jsonl") : answers;
            progress.say(answer(settings, file));
            texts.add(file);
        }
        return Distillation.start(folder, from, local, texts, settings, progress);
    }

    private String teacher() {
        if (teacher == null) {
            throw new BadInput("no teacher is given; name one, --teacher DIR or --teacher URL, or give --data.");
        }
        return teacher;
    }

    /// @return how many there are, for people
    private String answer(Settings<Settings.DistillKeys> settings, Path file) {
        Settings.DistillKeys keys = settings.method();
        String asks = teacher();
        Task asked = Tasks.of(keys.task(), display);
        TeacherAnswers.Options options = new TeacherAnswers.Options(
                keys.task(),
                keys.problems(),
                keys.samples(),
                Rewards.parse(asked, keys.reward(), display),
                keys.keepReward(),
                Prompts.Form.of(keys.promptForm()),
                settings.compute().seed());
        if (RemoteTeacher.isAddress(asks)) {
            try (RemoteTeacher remote = new RemoteTeacher(remote(asks, keys))) {
                return said(TeacherAnswers.write(remote, asked, options, file, display), file);
            }
        }
        Path folder = Given.path(asks);
        Model.Options how = Model.Options.defaults()
                .withDevice(DeviceName.parse("--device", settings.compute().device()))
                .withProgress(display);
        int threads = settings.compute().threads();
        try (Model model = Model.load(folder, threads == 0 ? how : how.withThreads(threads))) {
            Sampling sampling = Sampling.atTemperature(keys.sampleTemperature());
            String form = teacherForm == null ? keys.promptForm() : teacherForm;
            Teacher local = EvalCommand.answerer(folder, model, form, keys.maxNewTokens(), sampling);
            return said(TeacherAnswers.write(local, asked, options, file, display), file);
        }
    }

    private static String said(TeacherAnswers.Outcome outcome, Path file) {
        return "%,d of %,d answers kept: %s".formatted(outcome.kept(), outcome.asked(), file);
    }

    private RemoteTeacher.Settings remote(String address, Settings.DistillKeys keys) {
        if (teacherModel == null) {
            throw new BadInput("--teacher %s serves models by name: give --teacher-model NAME.".formatted(address));
        }
        if (connections < 1 || timeout < 1) {
            throw new BadInput("--connections %d, --timeout %d: expected 1 or more.".formatted(connections, timeout));
        }
        return new RemoteTeacher.Settings(
                RemoteTeacher.address(address),
                teacherModel,
                Optional.ofNullable(console.environment().get(keyVariable)).filter(key -> !key.isBlank()),
                keys.sampleTemperature(),
                keys.maxNewTokens(),
                connections,
                Duration.ofSeconds(timeout),
                TRIES,
                PAUSE);
    }

    @Override
    Run resume(Path folder, Map<String, String> options, Display progress) {
        return Distillation.resume(folder, options, progress);
    }
}
