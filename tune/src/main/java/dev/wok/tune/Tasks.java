package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.nio.file.Path;
import java.util.List;

/// Tasks by name.
public final class Tasks {
    private Tasks() {}

    /// @return the names of the built-in tasks
    public static List<String> names() {
        return List.of(ArithmeticTask.NAME, CountdownTask.NAME, ExchangeTask.NAME, StringsTask.NAME, JavaTask.NAME);
    }

    /// A task with its parameters:
    ///
    /// | name | problems | parameters, with their usual values |
    /// |---|---|---|
    /// | `arithmetic` | sums and products, worked by columns | `digits=2,operands=3,operations=sum` |
    /// | `countdown` | reach a number from given ones | `numbers=3,max=20,target=100` |
    /// | `exchange` | "3 butts make a cigarette. He has 11 butts." | `max=50,price=9` |
    /// | `strings` | reverse, sort, count, thin out or shift letters | `length=6,operations=reverse+sort` |
    /// | `java` | small Java functions, judged by their tests | |
    /// | a file | its records, see below | `question=question,answer=answer,reward=numeric,held_out=FILE` |
    ///
    /// A file ends in `.jsonl`, `.json` or `.parquet`. Each record has a question (under `question`,
    /// `prompt` or `problem`) and an `answer`, which may have work before `####` as GSM8K's; it may
    /// name its own `reward`, see [Rewards#parse]. A tenth is held out, by a hash of the question,
    /// unless `held_out` names a file of what is held out or a field that is true there.
    ///
    /// @param name such as `countdown:numbers=3,max=20` or `problems.jsonl:question=prompt`
    /// @param progress is told what stands around programs that a task runs
    /// @return the task
    /// @throws BadInput where there is none of that name, a parameter is wrong or the file cannot be
    ///     used
    public static Task of(String name, Progress progress) {
        int colon = parametersAt(name);
        String bare = name.substring(0, colon);
        Parameters parameters =
                Parameters.of("the task " + bare, colon == name.length() ? "" : name.substring(colon + 1));
        return switch (bare) {
            case ArithmeticTask.NAME -> new ArithmeticTask(parameters);
            case CountdownTask.NAME -> new CountdownTask(parameters);
            case ExchangeTask.NAME -> new ExchangeTask(parameters);
            case StringsTask.NAME -> new StringsTask(parameters);
            case JavaTask.NAME -> new JavaTask(parameters, progress);
            default -> {
                if (FileTask.isFile(bare)) {
                    yield FileTask.of(Path.of(bare), parameters, progress);
                }
                throw new BadInput(
                        "there is no task '%s'; expected one of %s, or a file of problems that ends in .jsonl."
                                .formatted(bare, String.join(", ", names())));
            }
        };
    }

    /// @param name of a task, or a file with parameters
    /// @param folder that a file's path is relative to
    /// @return the same task, wherever it is asked for
    public static String located(String name, Path folder) {
        int colon = parametersAt(name);
        String bare = name.substring(0, colon);
        return FileTask.isFile(bare) ? folder.resolve(bare).toAbsolutePath().normalize() + name.substring(colon) : name;
    }

    /// @return where the name ends; a file's may have colons, and its parameters too
    private static int parametersAt(String name) {
        for (int colon = name.indexOf(':'); colon >= 0; colon = name.indexOf(':', colon + 1)) {
            String bare = name.substring(0, colon);
            if (names().contains(bare) || FileTask.isFile(bare)) {
                return colon;
            }
        }
        return FileTask.isFile(name) || name.indexOf(':') < 0 ? name.length() : name.indexOf(':');
    }
}
