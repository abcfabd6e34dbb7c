package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

final class JavaTaskTest {
    private static JavaTask task(String parameters) {
        return new JavaTask(Parameters.of("the task java", parameters), Progress.silent());
    }

    /// @return one problem of each signature's kind, as they come
    private static List<Problem> problems(JavaTask task, int count) {
        return IntStream.range(0, count)
                .mapToObj(i -> task.problem(Task.Split.TRAIN, i, 7))
                .toList();
    }

    private static List<String> failures(JavaTask task, List<Problem> problems, boolean careful) {
        try (CodeReward reward = (CodeReward) task.accuracy()) {
            return problems.parallelStream()
                    .map(problem -> {
                        String text = task.write(problem, careful ? Style.CAREFUL : Style.CARELESS, 1);
                        Reward.Score score = reward.score(problem, new Completion(text, 1, false));
                        return score.value() == 1 ? "" : problem.question() + ": " + score.reason() + "\n" + text;
                    })
                    .filter(text -> !text.isEmpty())
                    .toList();
        }
    }

    @Test
    void theEasiestKindsAreSolvedByTheirDemonstrations() {
        JavaTask task = task("kinds=8,seconds=5");
        assertEquals(List.of(), failures(task, problems(task, 12), true));
    }

    @Tag("slow")
    @Test
    void allKindsAreSolvedByTheirDemonstrationsAndMostlyNotByMistakes() {
        JavaTask careful = task("seconds=10");
        List<Problem> problems = problems(careful, 300);
        assertEquals(List.of(), failures(careful, problems, true));
        JavaTask careless = task("seconds=10");
        int wrong = failures(careless, problems.subList(0, 100), false).size();
        assertTrue(wrong > 80, wrong + " of 100 mistakes are wrong");
    }

    @Test
    void everyKindHasManyQuestions() {
        Set<String> all = new HashSet<>();
        for (int kind = 0; kind < JavaKinds.ALL.size(); kind++) {
            Set<String> questions = new HashSet<>();
            for (int i = 0; i < 200; i++) {
                JavaMethod method = JavaKinds.ALL.get(kind).apply(new Draws(new Rng(3).split(i)));
                questions.add(method.signature() + method.asks());
                String filled = method.signature() + method.asks() + method.plan() + method.body();
                assertFalse(filled.matches("(?s).*\\{[a-z]+}.*"), filled);
                method.calls().forEach(method::result);
                assertNotEquals(method.body(), JavaTask.mistaken(method.body(), new Draws(new Rng(i))));
            }
            assertTrue(questions.size() > 40, "kind %d has %d questions".formatted(kind, questions.size()));
            all.addAll(questions);
        }
        assertTrue(all.size() > 2500, "%d questions".formatted(all.size()));
    }

    @Test
    void whatIsHeldOutIsNotTrainedOn() {
        JavaTask task = task("");
        Set<String> train = new HashSet<>();
        Set<String> heldOut = new HashSet<>();
        List<String> signatures = new ArrayList<>();
        for (int i = 0; i < 2000; i++) {
            train.add(task.canonical(task.problem(Task.Split.TRAIN, i, i)));
            Problem out = task.problem(Task.Split.HELD_OUT, i, i + 1);
            heldOut.add(task.canonical(out));
            signatures.add(out.data().getOrDefault(CodeCases.SIGNATURE, ""));
        }
        heldOut.retainAll(train);
        assertEquals(Set.of(), heldOut);
        assertTrue(new HashSet<>(signatures).size() > 100);
    }

    @Test
    void aProblemIsAFunctionOfItsSeed() {
        JavaTask task = task("");
        assertEquals(task.problem(Task.Split.TRAIN, 5, 1), task("").problem(Task.Split.TRAIN, 5, 1));
        assertNotEquals(task.problem(Task.Split.TRAIN, 5, 1), task.problem(Task.Split.TRAIN, 5, 2));
        Problem problem = task("kinds=1").problem(Task.Split.TRAIN, 0, 1);
        assertTrue(
                problem.question()
                        .matches(
                                "Write the Java method int \\w+\\(int \\w+\\)\\. It returns \\w+ times \\d+, plus \\d+\\.\n"
                                        + "For example, of -?\\d+ it is -?\\d+\\."),
                problem.question());
    }

    @Test
    void parametersAreChecked() {
        BadInput refusal = assertThrows(BadInput.class, () -> task("kinds=99"));
        assertEquals("the task java: kinds is 99, expected a whole number from 1 to 28.", refusal.getMessage());
    }
}
