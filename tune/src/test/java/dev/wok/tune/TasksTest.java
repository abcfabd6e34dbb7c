package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class TasksTest {
    private static final long SEED = 20_260_101;
    private static final Draws NO_DRAWS = new Draws(new Rng(0));

    private static GeneratedTask task(String name) {
        return (GeneratedTask) Tasks.of(name, Progress.silent());
    }

    private static Completion completion(String text) {
        return new Completion(text, text.length(), false);
    }

    private static Reward.Score judge(Task task, Problem problem, String text) {
        return task.accuracy().score(problem, completion(text));
    }

    private static Problem countdown(String numbers, int target) {
        return new Problem("", "", Map.of("numbers", numbers, "target", Integer.toString(target)));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "arithmetic",
                "arithmetic:digits=3,operands=2,operations=product",
                "arithmetic:digits=1,operands=4,operations=both",
                "countdown",
                "countdown:numbers=4,max=9",
                "countdown:numbers=5,max=100,target=999",
                "exchange",
                "exchange:max=100000,price=2",
                "strings",
                "strings:length=40,operations=sort+count"
            })
    void demonstrationsAreRight(String name) {
        GeneratedTask task = task(name);
        Reward format = Rewards.format(false);
        for (int i = 0; i < 1000; i++) {
            Problem problem = task.problem(i % 2 == 0 ? Task.Split.TRAIN : Task.Split.HELD_OUT, i, SEED);
            String text = task.demonstration(problem, i).orElseThrow();
            assertEquals(new Reward.Score(1, "right"), judge(task, problem, text), problem + "\n" + text);
            assertEquals(new Reward.Score(1, "right"), format.score(problem, completion(text)), text);
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"arithmetic", "countdown:max=9,target=30", "exchange", "strings:length=3"})
    void nothingHeldOutIsTrainedOn(String name) {
        GeneratedTask task = task(name);
        Set<String> train = new HashSet<>();
        for (int i = 0; i < 20_000; i++) {
            Problem problem = task.problem(Task.Split.TRAIN, i, SEED + i % 2);
            train.add(problem.question());
            train.add(task.canonical(problem));
        }
        for (int i = 0; i < 2_000; i++) {
            Problem problem = task.problem(Task.Split.HELD_OUT, i, SEED + i % 3);
            assertFalse(train.contains(problem.question()), problem.question());
            assertFalse(train.contains(task.canonical(problem)), problem.question());
        }
    }

    @Test
    void problemIsAFunctionOfPartPlaceAndSeed() {
        Problem first = task("countdown").problem(Task.Split.TRAIN, 7, 1);
        assertEquals(first, task("countdown").problem(Task.Split.TRAIN, 7, 1));
        assertNotEquals(first, task("countdown").problem(Task.Split.TRAIN, 8, 1));
        assertNotEquals(first, task("countdown").problem(Task.Split.TRAIN, 7, 2));
    }

    @Test
    void sumIsWorkedColumnByColumn() {
        Problem problem = new Problem("What is 47+85+6?", "138", Map.of("operation", "+", "numbers", "47 85 6"));
        GeneratedTask task = task("arithmetic");
        assertEquals(
                "<think>\n7+5+6=18 -> 8\n4+8+1=13 -> 138\n</think>\n<answer>138</answer>",
                task.write(problem, Style.CAREFUL, 0));
        assertEquals("7+5+6=18 -> 8\n4+8+1=13 -> 138\nIt is 138.", task.write(problem, Style.UNTAGGED, 0));
        assertEquals(
                "<think>\n7+5+6=18 -> 8\n4+8=12 -> 28\n</think>\n<answer>28</answer>",
                task.write(problem, Style.CARELESS, 0));
        assertEquals("<answer>28</answer>", task.write(problem, Style.BLURTED, 0));
        assertEquals("It is 28.", task.write(problem, Style.PLAIN, 0));
        assertEquals("<think>\n7+5+6=18 -> 8\n</think>\nI give up.", task.write(problem, Style.ABANDONED, 0));
    }

    @Test
    void countdownIsWorkedBackwards() {
        assertEquals(
                "<think>\n3: 24-3=21 24+3=27 24/3=8 | 9+5=14 9-5=4 9*5=45\n"
                        + "5: 24-5=19 24+5=29 | 9+3=12 9-3=6 9*3=27 9/3=3\n"
                        + "9: 24-9=15 24+9=33 | 5+3=8 5-3=2 5*3=15\n5*3=15 15+9=24\n"
                        + "</think>\n<answer>(5*3)+9</answer>",
                task("countdown").write(countdown("3 5 9", 24), Style.CAREFUL, 0));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    3 | 11 | false | 11/3=3 rest 2, 3+2=5~5/3=1 rest 2, 1+2=3~3/3=1 rest 0, 1+0=1~3+1+1=5 | 5  | 3
                    3 | 11 | true  | 11/3=3 rest 2, 3+2=5~5/3=1 rest 2, 1+2=3~3/3=1 rest 0, 1+0=1~11+3+1+1=16 | 16 | 14
                    2 | 2  | false | 2/2=1 rest 0, 1+0=1~1=1 | 1 | 1
                    """)
    void exchangeGoesOnWithWhatIsLeft(int price, int count, boolean full, String steps, String right, String wrong) {
        Problem problem = new Problem("", right, Map.of("price", "" + price, "count", "" + count, "full", "" + full));
        GeneratedTask task = task("exchange");
        assertEquals(new Working(List.of(steps.split("~")), right), task.careful(problem, NO_DRAWS));
        assertEquals(wrong, task.careless(problem, NO_DRAWS).answer());
    }

    @ParameterizedTest
    @CsvSource(delimiter = ';', textBlock = """
                    reverse; bead;   ; b e a | d~b e | d a~b | d a e~| d a e b; daeb; dbea
                    sort;    caab;   ; c a b | a~c b | a a~c | a a b~| a a b c; aabc; acab
                    count;   banana; a; b 0, a 1, n 1, a 2, n 2, a 3; 3; 6
                    vowels;  beads;  ; b (e) (a) d s~b d s; bds; bads
                    shift;   zay;    3; z-c a-d y-b~c d b; cdb; cay
                    """)
    void stringsAreWorkedByCharacters(
            String operation, String word, String detail, String steps, String right, String wrong) {
        Problem problem = new Problem(
                "",
                right,
                Map.of("operation", operation, "word", word, "detail", Objects.requireNonNullElse(detail, "")));
        GeneratedTask task = task("strings");
        assertEquals(right, task.careful(problem, NO_DRAWS).answer());
        assertEquals(List.of(steps.split("~")), task.careful(problem, NO_DRAWS).steps());
        assertEquals(wrong, task.careless(problem, NO_DRAWS).answer());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    3 5 9 | 24 | <answer>3*5+9</answer>              | right
                    3 5 9 | 24 | <answer> 9 + (5 × 3) = 24 </answer> | right
                    3 5 9 | 24 | so \\boxed{-(-9)+5*3}               | right
                    8 3 3 8 | 24 | <answer>8/(3-8/3)</answer>        | right
                    3 5 9 | 8  | <answer>3+5</answer>                | right
                    3 5 9 | 24 | <answer>3*5*9</answer>              | it makes 135
                    3 5 9 | 24 | <answer>3/9</answer>                | it makes 1/3
                    3 5 9 | 24 | <answer>3*3+5*3</answer>            | 3 is not given, or used twice
                    3 5 9 | 24 | <answer>24</answer>                 | 24 is not given, or used twice
                    3 3 9 | 24 | <answer>9/(3-3)</answer>            | division by zero
                    3 5 9 | 24 | <answer>(3*5+9</answer>             | a parenthesis that is not closed
                    3 5 9 | 24 | <answer>3*5+9)</answer>             | no expression
                    3 5 9 | 24 | <answer>35-9</answer>               | 35 is not given, or used twice
                    3 5 9 | 24 | <answer>3 5 9</answer>              | no expression
                    3 5 9 | 24 | <answer></answer>                   | no expression
                    3 5 9 | 24 | <answer>3*5+9=25</answer>           | no expression
                    3 5 9 | 24 | <answer>9999999999999999</answer>   | a number of too many digits
                    3 5 9 | 24 | <think><answer>3*5+9</answer>       | no answer
                    3 5 9 | 24 | <think><answer>3*5+9</answer></think> I do not know. | no answer
                    """)
    void countdownJudgesAnyExpression(String numbers, int target, String text, String reason) {
        Reward.Score score = judge(Tasks.of("countdown", Progress.silent()), countdown(numbers, target), text);
        assertEquals(reason, score.reason());
        assertEquals(reason.equals("right") ? 1 : 0, score.value());
    }

    @Test
    void hostileExpressionsAreRefusedQuickly() {
        Problem problem = countdown("3 5 9", 24);
        Task task = Tasks.of("countdown", Progress.silent());
        String deep = "(".repeat(400) + "3" + ")".repeat(400);
        assertEquals(
                "more than 50 parentheses deep",
                judge(task, problem, "<answer>" + deep + "</answer>").reason());
        assertEquals(
                "more than 50 parentheses deep",
                judge(task, problem, "<answer>" + "-".repeat(900) + "3</answer>")
                        .reason());
        assertEquals(
                "an expression of more than 1000 characters",
                judge(task, problem, "<answer>" + "3*".repeat(1_000_000) + "3</answer>")
                        .reason());
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    chess                  | there is no task 'chess'; expected one of arithmetic, countdown, exchange, strings, java, or a file
                    countdown:numbers=9    | the task countdown: numbers is 9, expected a whole number from 3 to 5.
                    countdown:numbers=x    | the task countdown: numbers is x, expected a whole number from 3 to 5.
                    countdown:size=4       | the task countdown has no parameter size; it has numbers, max, target.
                    countdown:numbers      | the task countdown: 'numbers' is no parameter; expected key=value
                    arithmetic:digits=1,digits=2 | the task arithmetic: digits is given twice; give it once.
                    strings:operations=sort+rot   | the task strings: there is no operation rot, expected some of reverse+sort+count
                    chess:sides=2                 | there is no task 'chess'; expected one of
                    arithmetic:operations=root   | the task arithmetic: operations is root, expected one of sum, product, both.
                    """)
    void wrongNamesAreRefused(String name, String message) {
        String said = assertThrows(BadInput.class, () -> Tasks.of(name, Progress.silent()))
                .getMessage();
        assertTrue(Objects.requireNonNull(said).startsWith(message), said);
    }
}
