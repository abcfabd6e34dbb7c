package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.json.JsonMapper;

/// Problems from a file: each record has a question and its answer, and may say by which reward it is
/// judged. Answers as GSM8K has them, with the work before `####`, are shown as demonstrations.
///
/// A tenth of the problems is held out, chosen by a hash of the question, unless another file or a
/// field of the records says which. What is held out is not trained on, even where it stands in both.
///
/// Parameters: the fields of the `question` (of `question`, `prompt` and `problem` the first that is
/// there), of the `answer` (`answer`), and of what `held_out` (`held_out`, true or false) says, or a
/// file's name there; the `reward` of records that have no field of that name (`numeric`).
final class FileTask implements Task {
    private static final List<String> QUESTIONS = List.of("question", "prompt", "problem");
    private static final List<String> FILES = List.of(".jsonl", ".json", ".parquet");
    private static final String HELD_OUT = "held_out";
    private static final String REWARD = "reward";
    private static final String NUMERIC = "numeric";
    private static final String HASHES = "####";
    private static final String WORK = "work";

    /* The calculator's notes in GSM8K. */
    private static final Pattern NOTES = Pattern.compile("<<[^<>]*>>");

    private final String name;
    private final Parameters parameters;
    private final Progress progress;
    private final Map<String, Reward> rewards = new HashMap<>();
    private final List<Problem> train = new ArrayList<>();
    private final List<Problem> heldOut = new ArrayList<>();

    /// A record.
    ///
    /// @param heldOut what the record says; null where it says nothing
    private record Entry(Problem problem, @Nullable Boolean heldOut) {}

    private FileTask(Path file, Parameters parameters, Progress progress) {
        this.progress = progress;
        this.name = String.valueOf(file.getFileName());
        this.parameters = parameters.only("question", "answer", REWARD, HELD_OUT);
        String elsewhere = parameters.text(HELD_OUT, HELD_OUT);
        List<Entry> entries = read(file);
        if (isFile(elsewhere)) {
            read(Path.of(elsewhere)).forEach(entry -> heldOut.add(entry.problem));
            entries.forEach(entry -> train.add(entry.problem));
        } else {
            split(entries);
        }
        Set<String> questions = new HashSet<>();
        heldOut.forEach(problem -> questions.add(Rewards.canonical(problem.question())));
        train.removeIf(problem -> questions.contains(Rewards.canonical(problem.question())));
    }

    /// @return whether a name is one of a file of problems, parameters apart
    static boolean isFile(String name) {
        return FILES.stream().anyMatch(name::endsWith);
    }

    /// @param file of records
    /// @throws BadInput where it cannot be read, or a record lacks something
    static FileTask of(Path file, Parameters parameters, Progress progress) {
        return new FileTask(file, parameters, progress);
    }

    private void split(List<Entry> entries) {
        boolean said = entries.stream().anyMatch(entry -> entry.heldOut != null);
        for (Entry entry : entries) {
            boolean out = said
                    ? Boolean.TRUE.equals(entry.heldOut)
                    : GeneratedTask.place(Rewards.canonical(entry.problem.question())) == Split.HELD_OUT;
            (out ? heldOut : train).add(entry.problem);
        }
    }

    private List<Entry> read(Path file) {
        List<Entry> entries = new ArrayList<>();
        Records.read(List.of(file), Progress.silent(), (where, fields) -> entries.add(entry(where, fields)));
        if (entries.isEmpty()) {
            throw new BadInput(
                    "%s holds no problem; expected lines such as {\"question\": \"...\", \"answer\": \"...\"}."
                            .formatted(file));
        }
        return entries;
    }

    private Entry entry(String where, Map<String, @Nullable Object> fields) {
        String questionField = parameters.text(
                "question",
                QUESTIONS.stream().filter(fields::containsKey).findFirst().orElse(QUESTIONS.getFirst()));
        String answerField = parameters.text("answer", "answer");
        String question = text(where, questionField, fields);
        String said =
                fields.containsKey("tests") && !fields.containsKey(answerField) ? "" : text(where, answerField, fields);
        Map<String, String> data = new HashMap<>();
        fields.forEach((key, value) -> {
            if (value != null && !key.equals(questionField) && !key.equals(answerField)) {
                data.put(key, plain(value));
            }
        });
        int hashes = said.lastIndexOf(HASHES);
        if (hashes >= 0) {
            data.put(
                    WORK,
                    NOTES.matcher(said.substring(0, hashes)).replaceAll("").strip());
        }
        data.put(REWARD, reward(where, data));
        String answer = hashes < 0 ? said : said.substring(hashes + HASHES.length());
        return new Entry(new Problem(question, answer.strip(), data), heldOut(where, fields));
    }

    private String text(String where, String field, Map<String, @Nullable Object> fields) {
        Object value = fields.get(field);
        if (value instanceof String || value instanceof Number || value instanceof Boolean) {
            String text = value.toString();
            if (!text.isBlank()) {
                return text;
            }
        }
        String given = value == null
                ? "has no field '%s'; its fields are %s".formatted(field, fields.keySet())
                : "has %s in '%s', expected a text".formatted(value instanceof String ? "nothing" : "no text", field);
        throw new BadInput(
                "%s %s. Name the fields as in %s:question=prompt,answer=solution.".formatted(where, given, name));
    }

    private static String plain(Object value) {
        return value instanceof String text ? text : JsonMapper.shared().writeValueAsString(value);
    }

    /// Makes a record's reward, once for each that is named.
    ///
    /// @return its name
    private String reward(String where, Map<String, String> data) {
        String reward = data.getOrDefault(REWARD, parameters.text(REWARD, NUMERIC));
        if (!rewards.containsKey(reward)) {
            try {
                rewards.put(reward, RewardSyntax.single(reward, progress));
            } catch (BadInput e) {
                throw new BadInput("%s: %s".formatted(where, e.getMessage()), e);
            }
        }
        return reward;
    }

    private @Nullable Boolean heldOut(String where, Map<String, @Nullable Object> fields) {
        String field = parameters.text(HELD_OUT, HELD_OUT);
        Object value = fields.get(field);
        if (value == null) {
            return null;
        }
        return switch (value.toString()) {
            case "true" -> true;
            case "false" -> false;
            default ->
                throw new BadInput("%s has '%s' in '%s', expected true or false.".formatted(where, value, field));
        };
    }

    @Override
    public String name() {
        return name;
    }

    @Override
    public long size(Split split) {
        return problems(split).size();
    }

    @Override
    public Problem problem(Split split, long index, long seed) {
        return problems(split).get(Math.toIntExact(index));
    }

    private List<Problem> problems(Split split) {
        return switch (split) {
            case TRAIN -> train;
            case HELD_OUT -> heldOut;
        };
    }

    @Override
    public Reward accuracy() {
        return (problem, completion) -> {
            Reward reward = rewards.getOrDefault(problem.data().getOrDefault(REWARD, NUMERIC), Rewards.numeric());
            return reward.score(problem, completion);
        };
    }

    @Override
    public Optional<String> answer(Completion completion) {
        return rewards.keySet().equals(Set.of(NUMERIC))
                ? Rewards.numericAnswer(completion)
                : Answers.find(completion.text());
    }

    @Override
    public Optional<String> demonstration(Problem problem, long seed) {
        return Optional.ofNullable(problem.data().get(WORK))
                .map(work -> new Working(work.lines().toList(), problem.answer()).tagged());
    }
}
