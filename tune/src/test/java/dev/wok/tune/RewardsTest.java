package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class RewardsTest {
    private static final Task TASK = Tasks.of("arithmetic", Progress.silent());

    /// Rewards whoever says please.
    public static final class Polite implements Reward {
        /// Made by name.
        public Polite() {}

        @Override
        public Score score(Problem problem, Completion completion) {
            return completion.text().contains("please") ? new Score(1, "polite") : new Score(0, "rude");
        }
    }

    /// Cannot be made.
    public static final class Broken implements Reward {
        /// Refuses.
        public Broken() {
            throw new IllegalStateException("no licence");
        }

        @Override
        public Score score(Problem problem, Completion completion) {
            return new Score(Double.NaN, "");
        }
    }

    /// Gives no number.
    public static final class Lost implements Reward {
        /// Made by name.
        public Lost() {}

        @Override
        public Score score(Problem problem, Completion completion) {
            return new Score(Double.NaN, "lost");
        }
    }

    private static Completion completion(String text) {
        return new Completion(text, text.length(), false);
    }

    private static Reward.Score score(Reward reward, String answer, String text) {
        return reward.score(new Problem("?", answer, Map.of()), completion(text));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', nullValues = "none", textBlock = """
                    <think>1</think><answer> 42 </answer>                  | 42
                    <answer>1</answer> no, <answer>2</answer>              | 2
                    <answer>\\boxed{7}</answer>                            | 7
                    so \\boxed{1} or rather \\boxed{\\frac{1}{2^{3}}}.     | \\frac{1}{2^{3}}
                    \\boxed{\\{1,2\\}}                                     | \\{1,2\\}
                    \\boxed{}                                              | ``
                    \\boxed{1} and \\boxed{2                               | none
                    \\boxed{\\                                             | none
                    <think>\\boxed{5} <answer>5</answer></think> unknown   | none
                    <think>\\boxed{5} <answer>5</answer>                   | none
                    5</think>\\boxed{6}                                    | 6
                    <answer>5                                              | none
                    5</answer>                                             | none
                    </answer>5<answer>                                     | none
                    work #### 1 #### 72 `                                  | 72
                    #### 1 <answer>2</answer> \\boxed{3}                   | 2
                    42                                                     | none
                    """)
    void lastAnswerBehindTheThoughtsCounts(String text, String answer) {
        assertEquals(answer, Answers.find(text.replace("`", "\nand more")).orElse(null));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
                    1000   | 1,000                 | 1
                    1000   | 1e3                   | 1
                    1000   | 1000.00               | 1
                    1000   | 1{,}000               | 1
                    1000   | 10,00                 | 0
                    1000   | 1.000                 | 0
                    1000   | 1,0000                | 0
                    0.5    | 1/2                   | 1
                    0.5    | .5                    | 1
                    0.5    | 50%                   | 1
                    0.5    | 50\\%                 | 1
                    0.5    | 50 percent            | 1
                    50     | 50%                   | 0
                    0.5    | \\frac{2}{4}          | 1
                    0.5    | $\\dfrac{1}{2}$       | 1
                    -0.5   | -\\frac{1}{2}         | 1
                    2.5    | 2 1/2                 | 1
                    2.5    | 2\\frac{1}{2}         | 1
                    21/2   | 2 1/2                 | 0
                    1/3    | 0.333333333333        | 0
                    1/3    | 1/0                   | 0
                    12     | 12 apples.            | 1
                    12     | $12                   | 1
                    $12    | 12 dollars            | 1
                    12 €   | $12                   | 0
                    3 cm   | 3 m                   | 0
                    3 cm   | 3\\text{ cm}          | 1
                    3 m^2  | 3 m^2                 | 1
                    1 apple| 1 apples              | 1
                    5      | 5 million             | 0
                    5      | 5x                    | 0
                    5      | 5 or 6                | 0
                    5      | x = 5                 | 1
                    5      | 2+3                   | 0
                    -5     | −5                    | 1
                    5      | +5                    | 1
                    5      | five                  | 0
                    42     | ٤٢                    | 1
                    42     | ４２                  | 1
                    0      | -0                    | 1
                    7      | 007                   | 1
                    90     | 90^\\circ             | 1
                    1e400  | 1e400                 | 1
                    1      | 1e999999999           | 0
                    1      | 1e9999999999999       | 0
                    123456789012345678901234567890 | 123456789012345678901234567891 | 0
                    123456789012345678901234567890 | 123,456,789,012,345,678,901,234,567,890 | 1
                    yes    | yes                   | 1
                    yes    | no                    | 0
                    """)
    void numbersAreComparedExactly(String right, String given, double value) {
        assertEquals(
                value,
                score(Rewards.numeric(), right, "<answer>" + given + "</answer>")
                        .value());
    }

    @Test
    void numbersAreRefusedQuickly() {
        String letters = "1 " + "a".repeat(900) + "!";
        assertEquals(
                "no number",
                score(Rewards.numeric(), "1", "<answer>" + letters + "</answer>")
                        .reason());
        String digits = "<answer>" + "1".repeat(2_000_000) + "</answer>";
        assertEquals("no number", score(Rewards.numeric(), "1", digits).reason());
        assertEquals("no answer", score(Rewards.numeric(), "1", "1").reason());
        assertEquals("wrong number", score(Rewards.numeric(), "1", "\\boxed{2}").reason());
    }

    @Test
    void numbersMayBeNear() {
        assertEquals(1, score(Rewards.numeric(0.001), "3.14159", "#### 3.1416").value());
        assertEquals(1, score(Rewards.numeric(0.5), "-2", "#### -3").value());
        assertEquals(0, score(Rewards.numeric(0.4999), "-2", "#### -3").value());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
                    a b   | a  b  | 1
                    a b   | ab    | 0
                    Abc   | abc   | 0
                    007   | 7     | 0
                    é     | é    | 1
                    """)
    void textsAreComparedExactly(String right, String given, double value) {
        assertEquals(
                value,
                score(Rewards.exact(), right, "<answer>\n" + given + " </answer>")
                        .value());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    ' <think>a</think>~<answer>b</answer>~'                      | right
                    <think>a</think><answer>b</answer>                           | right
                    <think>a < b</think> <answer><b></answer>                    | right
                    <think>a</think> so <answer>b</answer>                       | text outside the tags
                    <think>a</think> <answer>b</answer> .                        | text outside the tags
                    Well <think>a</think> <answer>b</answer>                     | text outside the tags
                    <think>a</think><think>a</think><answer>b</answer>           | more than one <think>
                    <think>a</think><answer>b</answer><answer>b</answer>         | more than one <answer>
                    <think>a<answer>b</answer></think>                           | tags out of order
                    <answer>b</answer><think>a</think>                           | tags out of order
                    </think>a<think><answer>b</answer>                           | tags out of order
                    <think>a</think>b                                            | no <answer>
                    a</think><answer>b</answer>                                  | no <think>
                    <think>a</think><answer>b                                    | no </answer>
                    <think> </think><answer>b</answer>                           | nothing between tags
                    <think>a</think><answer></answer>                            | nothing between tags
                    <Think>a</Think><answer>b</answer>                           | no <think>
                    """)
    void formatIsThoughtsThenAnswer(String text, String reason) {
        Reward.Score score = score(Rewards.format(false), "", text.replace('~', '\n'));
        assertEquals(reason, score.reason());
        assertEquals(reason.equals("right") ? 1 : 0, score.value());
    }

    @Test
    void formatKnowsThoughtsThatThePromptBegan() {
        String text = "a</think><answer>b</answer>";
        assertEquals("right", score(Rewards.format(true), "", text).reason());
        assertEquals(
                "more than one <think>",
                score(Rewards.format(true), "", "<think>" + text).reason());
        Completion cut = new Completion("<think>a</think><answer>b</answer>", 9, true);
        assertEquals(
                "cut off",
                Rewards.format(false).score(new Problem("", "", Map.of()), cut).reason());
    }

    @ParameterizedTest
    @CsvSource({"0,0,1", "50,0.5,1", "100,1,1", "150,0.5,0.5", "200,0,0", "1000000000,0,0"})
    void lengthIsAStraightLine(int tokens, double near, double atMost) {
        Completion completion = new Completion("", tokens, false);
        Problem problem = new Problem("", "", Map.of());
        assertEquals(near, Rewards.lengthNear(100).score(problem, completion).value());
        assertEquals(
                atMost,
                Rewards.lengthAtMost(100, 200).score(problem, completion).value());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    en     | <think>The sum is 12</think>      | 1      | 3 of 3 words
                    en     | это 好 fine                       | 0.3333333333333333 | 1 of 3 words
                    zh     | 因为 x so 2                       | 0.5    | 2 of 4 words
                    zh     | \\frac 答案<answer>               | 1      | 2 of 2 words
                    ja     | これは本です                      | 1      | 3 of 3 words
                    ru     | число один, one                   | 0.6666666666666666 | 2 of 3 words
                    ru     | чисlо                             | 1      | 1 of 1 words
                    greek  | αβγ 1+1=2                         | 1      | 1 of 1 words
                    en     | 12+30=42                          | 1      | 0 of 0 words
                    de     | schöne Grüße                     | 1      | 2 of 2 words
                    """)
    void languageIsTheShareOfWordsInItsScript(String language, String text, double value, String reason) {
        assertEquals(new Reward.Score(value, reason), score(Rewards.language(language), "", text));
    }

    @Test
    void sumTellsItsParts() {
        Rewards rewards = Rewards.parse(
                TASK,
                List.of(
                        "accuracy",
                        " format:0.5",
                        "length(free=10,max=50):-0.25",
                        "class:" + Polite.class.getName() + ":2"),
                Progress.silent());
        Problem problem = new Problem("", "4", Map.of());
        Rewards.Judgement judgement = rewards.judge(problem, new Completion("please <answer>4</answer>", 30, false));
        assertEquals(1 + 0.5 * 0 - 0.25 * 0.5 + 2, judgement.total());
        assertEquals(
                "{accuracy=Score[value=1.0, reason=right], format=Score[value=0.0, reason=no <think>],"
                        + " length=Score[value=0.5, reason=30 tokens],"
                        + " RewardsTest$Polite=Score[value=1.0, reason=polite]}",
                judgement.parts().toString());
        assertEquals(
                "accuracy: right; format: no <think>; length: 30 tokens; RewardsTest$Polite: polite",
                judgement.reason());
        assertEquals(
                judgement.parts(),
                Rewards.parse(
                                TASK,
                                List.of("accuracy,format:0.5,length(free=10,max=50):-.25,class:"
                                        + Polite.class.getName() + ":2"),
                                Progress.silent())
                        .judge(problem, new Completion("please <answer>4</answer>", 30, false))
                        .parts());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
                    beauty:1             | there is no reward 'beauty'; expected one of accuracy, exact, numeric, code, format,
                    accuracy:            | the weight in 'accuracy:' is '', expected a number.
                    accuracy:NaN         | the weight in 'accuracy:NaN' is 'NaN', expected a number.
                    accuracy:1:2         | 'accuracy:1:2' is no reward; expected name:weight with one of accuracy,
                    accuracy,,format     | '' is no reward; expected name:weight
                    accuracy,accuracy:2  | a reward is given twice in [accuracy, accuracy]; give each once, with its weight.
                    format(open=true)    | the reward format has no parameter open; it has opened.
                    format(opened=1)     | the reward format: opened is 1, expected one of true, false.
                    length               | the reward length needs either target=200 or max=200, with free=100 beside it.
                    length(max=5,free=5) | the reward length: free is 5, expected a whole number from 0 to 4.
                    code(seconds=99)     | the reward code: seconds is 99, expected a number from 0.001 to 30.0.
                    numeric(within=2)    | the reward numeric: within is 2, expected a number from 0.0 to 1.0.
                    language(of=klingon) | 'klingon' is no language that is known here; expected one of ar, de, el,
                    class                | there is no reward 'class'; expected one of
                    class:no.Such        | there is no class no.Such on the class path; add its folder or jar to it.
                    class:java.lang.String | java.lang.String is no reward; let it implement dev.wok.tune.Reward.
                    class:dev.wok.tune.FormatReward | dev.wok.tune.FormatReward could not be made; it must be public,
                    class:dev.wok.tune.RewardsTest$Broken | dev.wok.tune.RewardsTest$Broken could not be made: java.lang.IllegalStateException: no licence.
                    """)
    void wrongRewardsAreRefused(String text, String message) {
        String said = assertThrows(BadInput.class, () -> Rewards.parse(TASK, List.of(text), Progress.silent()))
                .getMessage();
        assertTrue(Objects.requireNonNull(said).startsWith(message), said);
    }

    @Test
    void rewardWithoutANumberIsRefused() {
        Rewards rewards = Rewards.parse(TASK, List.of("class:" + Lost.class.getName()), Progress.silent());
        String said = assertThrows(BadInput.class, () -> score(rewards, "", "")).getMessage();
        assertEquals("the reward RewardsTest$Lost gave NaN; expected a number.", said);
        assertEquals(
                "there is no reward; give at least one, such as accuracy.",
                assertThrows(BadInput.class, () -> Rewards.sum(List.of())).getMessage());
    }
}
