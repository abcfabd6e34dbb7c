package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
class TeacherAnswersTest {
    private static final Letters TASK = new Letters(6);

    @TempDir
    Path folder;

    private Path file;
    private Task task = TASK;
    private String named = "letters:of=words";
    private final Counting teacher = new Counting();

    @BeforeEach
    void name() {
        file = folder.resolve("answers.jsonl");
    }

    /// Is right about words of odd length, and never ends on those of five letters; fails after so
    /// many answers.
    private static final class Counting implements Teacher {
        final List<String> asked = Collections.synchronizedList(new ArrayList<>());
        int fails = Integer.MAX_VALUE;
        int atOnce = 3;
        Set<Integer> refused = Set.of();

        @Nullable
        CountDownLatch begun;

        @Override
        public String name() {
            return "counting";
        }

        @Override
        public int atOnce() {
            return atOnce;
        }

        @Override
        public Completion answer(String question, long seed) {
            if (refused.contains(question.length() - question.lastIndexOf(' ') - 2)) {
                throw new Teacher.Refusal("the teacher says no.");
            }
            if (begun != null) {
                meet(begun);
                if (question.endsWith(" a?")) {
                    throw new BadInput("the teacher is gone.");
                }
                rest();
            }
            if (asked.size() >= fails) {
                throw new BadInput("the teacher is gone.");
            }
            asked.add(question + seed);
            int word = question.length() - question.lastIndexOf(' ') - 2;
            int answer = word % 2 == 1 ? word : 0;
            return new Completion("\"é\" \n<answer>%d</answer> %d".formatted(answer, seed), 7, word == 5);
        }
    }

    private static void meet(CountDownLatch begun) {
        begun.countDown();
        try {
            begun.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    /// Gives the failure of another the time to end what was begun, if it does so.
    private static void rest() {
        try {
            Thread.sleep(100);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private TeacherAnswers.Outcome write(long problems, int samples, Prompts.Form form, double keep) {
        TeacherAnswers.Options options =
                new TeacherAnswers.Options(named, problems, samples, TASK.accuracy(), keep, form, 11);
        return TeacherAnswers.write(teacher, task, options, file, Progress.silent());
    }

    private List<String> lines() throws IOException {
        return Files.readAllLines(file);
    }

    @Test
    void keepsWhatIsRightAndWhole() throws IOException {
        assertEquals(new TeacherAnswers.Outcome(12, 4), write(100, 2, Prompts.Form.CHAT, 1));
        assertEquals(4, lines().size());
        assertTrue(
                lines().getFirst()
                        .startsWith("{\"messages\":[{\"role\":\"user\",\"content\":\"TRAIN 11: how long is a?\"},"
                                + "{\"role\":\"assistant\",\"content\":\"\\\"é\\\" \\n<answer>1</answer> "),
                lines().getFirst());
        assertTrue(lines().getFirst().endsWith("\"reward\":1.0}"), lines().getFirst());
        assertTrue(lines().get(3).contains("how long is aaa?"), lines().get(3));
        assertEquals(12, teacher.asked.stream().distinct().count());
    }

    @Test
    void asksNothingTwiceAndEndsWithTheSameData() throws IOException {
        write(6, 3, Prompts.Form.PLAIN, 1);
        List<String> expected = lines();
        Files.delete(file);
        Files.delete(folder.resolve("answers.jsonl.asked"));
        teacher.asked.clear();
        teacher.fails = 4;
        teacher.atOnce = 1;
        assertEquals(
                "the teacher is gone.",
                assertThrows(BadInput.class, () -> write(6, 2, Prompts.Form.PLAIN, 1))
                        .getMessage());
        assertFalse(Files.exists(file));
        // As a kill leaves it.
        Files.writeString(folder.resolve("answers.jsonl.asked"), "{\"problem\":1,\"sa", StandardOpenOption.APPEND);
        teacher.fails = Integer.MAX_VALUE;
        teacher.atOnce = 5;
        write(6, 2, Prompts.Form.PLAIN, 0);
        write(6, 3, Prompts.Form.PLAIN, 1);
        assertEquals(18, teacher.asked.size());
        assertEquals(18, teacher.asked.stream().distinct().count());
        assertEquals(expected, lines());
        assertTrue(
                expected.getFirst().startsWith("{\"prompt\":\"TRAIN 11: how long is a?\",\"completion\":"),
                expected.getFirst());
    }

    @Test
    void whatWasBegunIsKeptWhereAnotherFails() throws IOException {
        teacher.begun = new CountDownLatch(3);
        assertEquals(
                "the teacher is gone.",
                assertThrows(BadInput.class, () -> write(3, 1, Prompts.Form.PLAIN, 1))
                        .getMessage());
        teacher.begun = null;
        assertEquals(2, teacher.asked.size());
        write(3, 1, Prompts.Form.PLAIN, 1);
        assertEquals(3, teacher.asked.size(), "the two answers that came are kept");
    }

    @Test
    void questionsThatAreRefusedAreNotAskedAgain() throws IOException {
        teacher.refused = Set.of(1, 4);
        assertEquals(new TeacherAnswers.Outcome(6, 1), write(6, 1, Prompts.Form.PLAIN, 1));
        teacher.refused = Set.of();
        assertEquals(new TeacherAnswers.Outcome(6, 1), write(6, 1, Prompts.Form.PLAIN, 1));
        assertEquals(4, teacher.asked.size());
    }

    @Test
    void aTeacherThatRefusesAllIsAskedWrongly() throws IOException {
        teacher.refused = Set.of(1, 2, 3, 4, 5, 6);
        for (int samples : new int[] {1, 9}) {
            assertEquals(
                    "the teacher says no.",
                    assertThrows(BadInput.class, () -> write(6, samples, Prompts.Form.PLAIN, 1))
                            .getMessage());
        }
        teacher.refused = Set.of();
        assertEquals(new TeacherAnswers.Outcome(6, 2), write(6, 1, Prompts.Form.PLAIN, 1));
        assertEquals(6, teacher.asked.size(), "no refusal was kept");
    }

    @Test
    void answersAreNotPairedWithOtherQuestions() {
        write(6, 1, Prompts.Form.PLAIN, 1);
        named = "letters:of=names";
        assertThrows(BadInput.class, () -> write(6, 1, Prompts.Form.PLAIN, 1));
        named = "letters:of=words";
        task = new Letters(5);
        assertThrows(BadInput.class, () -> write(5, 1, Prompts.Form.PLAIN, 1));
    }

    @Test
    void anInterruptClosesTheFileForNobody() throws IOException {
        AskedFile.Place first = new AskedFile.Place(0, 0);
        AskedFile.Place second = new AskedFile.Place(1, 0);
        try (AskedFile asked = AskedFile.open(folder.resolve("asked"), "origin")) {
            Thread.currentThread().interrupt();
            asked.add(first, new Completion("a", 1, false));
            assertTrue(Thread.interrupted());
            asked.add(second, new Completion("b", 1, false));
            assertEquals("a", asked.get(first).text());
            assertEquals("b", asked.get(second).text());
        }
    }

    @Test
    void refusals() throws IOException {
        assertEquals(
                "none of 12 answers has a reward of 2.0 or more; lower keep_reward, or ask another teacher.",
                assertThrows(BadInput.class, () -> write(6, 2, Prompts.Form.PLAIN, 2))
                        .getMessage());
        try (var files = Files.list(folder)) {
            assertEquals(1, files.count());
        }
        Path asked = folder.resolve("answers.jsonl.asked");
        assertTrue(Files.readAllLines(asked)
                .getFirst()
                .matches("\\{\"teacher\":\"counting\",\"task\":\"letters:of=words\","
                        + "\"questions\":\"[0-9a-f]{16}\",\"seed\":11}"));
        List<String> all = Files.readAllLines(asked);
        Files.writeString(asked, all.getFirst() + "\n{\"problem\":1,\"sample\":0}\n");
        assertEquals(
                asked + ", line 2 is no answer, expected problem, sample, text, tokens and truncated; remove the line.",
                assertThrows(BadInput.class, () -> write(6, 2, Prompts.Form.PLAIN, 1))
                        .getMessage());
        Files.writeString(asked, all.getFirst().replace("counting", "other") + "\n");
        assertEquals(
                asked + " holds answers of " + all.getFirst().replace("counting", "other") + ", asked for are those of "
                        + all.getFirst() + "; give another file, or remove it.",
                assertThrows(BadInput.class, () -> write(6, 2, Prompts.Form.PLAIN, 1))
                        .getMessage());
    }
}
