package dev.wok.cli;

import dev.wok.notice.BadInput;
import dev.wok.tune.Problem;
import dev.wok.tune.Task;
import dev.wok.tune.Tasks;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok task`: what a task asks.
@Command(
        name = "task",
        description = "Prints problems of a task, each with a worked answer where the task has one. Without a name: the"
                + " tasks that there are.",
        sortOptions = false,
        footer = {"", "Example:", "  wok task countdown:numbers=4 --problems 3"})
final class TaskCommand implements Callable<Integer> {
    private final Console console;
    private final Display display;

    @Parameters(
            paramLabel = "NAME",
            arity = "0..1",
            description = "A built-in task, with parameters such as countdown:numbers=3, or a .jsonl file of problems.")
    @Nullable
    String name;

    @Option(names = "--problems", paramLabel = "N", defaultValue = "5", description = "How many (default: 5).")
    long problems;

    @Option(names = "--held-out", description = "Those that nothing is trained on.")
    boolean heldOut;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "1",
            description = "Of problems that are generated (default: 1, as a run's).")
    long seed;

    @Option(names = "--json", description = "Print one JSON object a problem: question, answer, what its reward needs.")
    boolean json;

    TaskCommand(Console console, Display display) {
        this.console = console;
        this.display = display;
    }

    @Override
    public Integer call() {
        if (name == null) {
            Tasks.names().forEach(console.out()::println);
            return 0;
        }
        if (problems < 1) {
            throw new BadInput("--problems is %d, expected 1 or more.".formatted(problems));
        }
        Task task = Tasks.of(name, display);
        Task.Split split = heldOut ? Task.Split.HELD_OUT : Task.Split.TRAIN;
        for (long i = 0; i < Math.min(problems, task.size(split)); i++) {
            Problem problem = task.problem(split, i, seed);
            if (json) {
                console.out().println(Json.text(object(task, problem)));
            } else {
                console.out().println(problem.question());
                task.demonstration(problem, seed).ifPresent(console.out()::println);
                console.out().println();
            }
        }
        return 0;
    }

    private Map<String, Object> object(Task task, Problem problem) {
        Map<String, Object> object = new LinkedHashMap<>();
        object.put("question", problem.question());
        object.put("answer", problem.answer());
        object.put("data", problem.data());
        task.demonstration(problem, seed).ifPresent(text -> object.put("demonstration", text));
        return object;
    }
}
