package dev.wok.tune;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.math.BigDecimal;
import java.text.Normalizer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/// Rewards by rule (DeepSeek-R1, section 2.2.2), and their weighted sum, of which each part is
/// reported.
///
/// The final answer is looked for behind the thoughts: in the last `<answer>…</answer>`, else in the
/// last `\boxed{…}`, else after the last `####`.
public final class Rewards implements Reward {
    static final Score RIGHT = new Score(1, "right");
    static final Score NO_ANSWER = new Score(0, "no answer");

    private static final Score WRONG = new Score(0, "wrong");
    private static final Pattern BLANKS = Pattern.compile("\\s+");
    private static final int BRIEF = 40;

    /// A reward in a sum.
    ///
    /// @param name in the log, after `reward/`
    /// @param weight of its value in the sum; below zero for what is not wanted
    /// @param reward judges
    public record Part(String name, double weight, Reward reward) {}

    /// What all parts of a sum say of a completion.
    ///
    /// @param total the weighted sum of their values
    /// @param parts what each of them said, unweighted, by its name
    public record Judgement(double total, SequencedMap<String, Score> parts) {
        /// @return the reasons, each with its part's name
        public String reason() {
            return parts.entrySet().stream()
                    .map(part -> part.getKey() + ": " + part.getValue().reason())
                    .collect(Collectors.joining("; "));
        }
    }

    private final List<Part> parts;

    private Rewards(List<Part> parts) {
        this.parts = List.copyOf(parts);
    }

    /// @param parts at least one, their names different
    /// @return their weighted sum
    /// @throws BadInput where there is none, or two have the same name
    public static Rewards sum(List<Part> parts) {
        if (parts.isEmpty()) {
            throw new BadInput("there is no reward; give at least one, such as accuracy.");
        }
        long names = parts.stream().map(Part::name).distinct().count();
        if (names < parts.size()) {
            throw new BadInput("a reward is given twice in %s; give each once, with its weight."
                    .formatted(parts.stream().map(Part::name).toList()));
        }
        return new Rewards(parts);
    }

    /// Reads what users write: `accuracy:1,format:0.5`, each with its weight, which is 1 where it is
    /// left out, and with parameters where it has some: `length(target=200):0.1`.
    ///
    /// | name | what it rewards |
    /// |---|---|
    /// | `accuracy` | the task's own judgement of the final answer |
    /// | `exact`, `numeric(within=0)` | the final answer is the problem's, as text or as a number |
    /// | `code(seconds=2,share=false)` | the program passes the problem's tests, see [CodeReward] |
    /// | `format(opened=false)` | thoughts in their tags, then the answer in its tags |
    /// | `length(target=N)`, `length(free=N,max=N)` | tokens near a number, or not more than one |
    /// | `language(of=en)` | words of a language's script |
    /// | `class:com.example.MyReward` | what a class on the class path says |
    ///
    /// @param task whose judgement is `accuracy`
    /// @param texts each of one reward, or several with commas between
    /// @param progress is told what stands around programs that a reward runs
    /// @return the weighted sum
    /// @throws BadInput where one is unknown or wrongly written
    public static Rewards parse(Task task, List<String> texts, Progress progress) {
        return sum(RewardSyntax.parse(task, texts, progress));
    }

    /// @return 1 where the final answer is the problem's, blanks apart
    public static Reward exact() {
        return (problem, completion) -> Answers.find(completion.text())
                .map(answer -> canonical(answer).equals(canonical(problem.answer())) ? RIGHT : WRONG)
                .orElse(NO_ANSWER);
    }

    /// As [#numeric(double)] with nothing allowed.
    ///
    /// @return 1 where the final answer is the problem's number
    public static Reward numeric() {
        return numeric(0);
    }

    /// Compares numbers exactly: 1,000 = 1000 = 1e3, 0.5 = 1/2 = `\frac{1}{2}` = 50 %, digits of any
    /// script. A unit or currency that only one of the two has is ignored; if both have one, it must be
    /// the same: "12 apples" is 12, and 3 cm are not 3 m. What stands after the last "=" counts. A
    /// comma only groups three digits. "5 million" is no number, nor is what has more than a thousand
    /// characters or an exponent beyond a thousand.
    ///
    /// @param within how far off it may be, as a share of the problem's number
    /// @return 1 where the final answer is the problem's number
    public static Reward numeric(double within) {
        Fraction tolerance = Fraction.of(BigDecimal.valueOf(within));
        return (problem, completion) -> {
            Optional<String> answer = Answers.find(completion.text());
            if (answer.isEmpty()) {
                return NO_ANSWER;
            }
            Optional<Numbers.Quantity> right = Numbers.parse(problem.answer());
            Optional<Numbers.Quantity> given = Numbers.parse(answer.get());
            if (right.isEmpty()) {
                return canonical(answer.get()).equals(canonical(problem.answer())) ? RIGHT : WRONG;
            }
            return given.map(number -> number.matches(right.get(), tolerance) ? RIGHT : new Score(0, "wrong number"))
                    .orElse(new Score(0, "no number"));
        };
    }

    /// @param opened whether the prompt has already begun the thoughts, as some chat templates do
    /// @return 1 for `<think>…</think>`, then `<answer>…</answer>`, each tag once, both filled, only
    ///     blanks around them, and an end by the model itself
    public static Reward format(boolean opened) {
        return new FormatReward(opened);
    }

    /// @param target tokens that are best; above zero
    /// @return 1 there, falling in a straight line to 0 at none and at twice as many
    public static Reward lengthNear(int target) {
        return (_, completion) -> new Score(
                Math.max(0, 1 - Math.abs(completion.tokens() - (double) target) / target),
                "%d tokens".formatted(completion.tokens()));
    }

    /// DAPO's penalty of what is too long (eq. 13), moved up by 1.
    ///
    /// @param free tokens that cost nothing
    /// @param max tokens from which on it is 0; above `free`
    /// @return 1 up to `free`, falling in a straight line to 0 at `max`
    public static Reward lengthAtMost(int free, int max) {
        return (_, completion) -> new Score(
                Math.clamp((max - completion.tokens()) / (double) (max - free), 0.0, 1.0),
                "%d tokens".formatted(completion.tokens()));
    }

    /// The share of words that are in a language's script (DeepSeek-R1, section 2.3.2); of ideographs
    /// each counts as a word. Tags, commands of TeX and what has no letters do not count; without words
    /// it is 1. It cannot tell languages of the same script apart.
    ///
    /// @param language a code such as `en`, `zh`, `ru`, or a script's name such as `latin`
    /// @return that share
    /// @throws BadInput where the language is unknown
    public static Reward language(String language) {
        return LanguageReward.of(language);
    }

    /// @return the parts
    public List<Part> parts() {
        return parts;
    }

    /// @return what each part says, and all together
    /// @throws BadInput where a part gives no number
    public Judgement judge(Problem problem, Completion completion) {
        SequencedMap<String, Score> scores = new LinkedHashMap<>();
        double total = 0;
        for (Part part : parts) {
            Score score = part.reward.score(problem, completion);
            if (!Double.isFinite(score.value())) {
                throw new BadInput("the reward %s gave %s; expected a number.".formatted(part.name, score.value()));
            }
            scores.put(part.name, score);
            total += part.weight * score.value();
        }
        return new Judgement(total, scores);
    }

    @Override
    public Score score(Problem problem, Completion completion) {
        Judgement judgement = judge(problem, completion);
        return new Score(judgement.total(), judgement.reason());
    }

    /// @return the final answer, a number in lowest terms, so that equal numbers have equal texts
    static Optional<String> numericAnswer(Completion completion) {
        return Answers.find(completion.text())
                .map(answer -> Numbers.parse(answer)
                        .map(quantity -> quantity.value().toString())
                        .orElse(answer));
    }

    static String canonical(String text) {
        return BLANKS.matcher(Normalizer.normalize(text, Normalizer.Form.NFC).strip())
                .replaceAll(" ");
    }

    /// @return short enough for a reason
    static String brief(Object value) {
        String text = value.toString();
        return text.length() <= BRIEF ? text : text.substring(0, BRIEF) + "…";
    }
}
