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
import java.util.HashSet;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class FileTaskTest {
    @TempDir
    Path folder;

    private Path file(String name, String text) throws IOException {
        return Files.writeString(folder.resolve(name), text.replace('\'', '"'));
    }

    private static Set<String> questions(Task task, Task.Split split) {
        Set<String> questions = new HashSet<>();
        for (long i = 0; i < task.size(split); i++) {
            questions.add(task.problem(split, i, 0).question());
        }
        return questions;
    }

    private static Reward.Score judge(Task task, Problem problem, String text) {
        return task.accuracy().score(problem, new Completion(text, 1, false));
    }

    @Test
    void answersComeFromFieldsAndFromGsm8k() throws IOException {
        Path file = file("a:b.jsonl", """
                {'question': 'Q1', 'answer': 'He has 3+4=<<3+4=7>>7.\\nThen 14.\\n#### 1,014', 'held_out': false}

                {'prompt': 'Q2', 'answer': 7, 'level': 3, 'tags': ['a', 1]}
                {'problem': 'Q3', 'answer': '07', 'reward': 'exact', 'held_out': 'true'}
                """);
        Task task = Tasks.of(file.toString(), Progress.silent());
        assertEquals("a:b.jsonl", task.name());
        assertEquals(Set.of("Q1", "Q2"), questions(task, Task.Split.TRAIN));
        Problem first = task.problem(Task.Split.TRAIN, 0, 0);
        assertEquals("1,014", first.answer());
        assertEquals(
                Optional.of("<think>\nHe has 3+4=7.\nThen 14.\n</think>\n<answer>1,014</answer>"),
                task.demonstration(first, 0));
        assertEquals(1, judge(task, first, "#### 1014").value());
        Problem second = task.problem(Task.Split.TRAIN, 1, 0);
        assertEquals("3", second.data().get("level"));
        assertEquals("[\"a\",1]", second.data().get("tags"));
        assertEquals(Optional.empty(), task.demonstration(second, 0));
        assertEquals(1, judge(task, second, "#### 7.0").value());
        Problem third = task.problem(Task.Split.HELD_OUT, 0, 0);
        assertEquals(0, judge(task, third, "#### 7").value());
        assertEquals(1, judge(task, third, "#### 07").value());
    }

    @Test
    void tenthIsHeldOutByQuestion() throws IOException {
        StringBuilder text = new StringBuilder();
        for (int i = 0; i < 2000; i++) {
            text.append("{'prompt': 'How much is %d + 1?', 'solution': '%d'}\n".formatted(i / 2, i / 2 + 1));
        }
        Task task = Tasks.of(file("sums.jsonl", text.toString()) + ":answer=solution,reward=exact", Progress.silent());
        Set<String> train = questions(task, Task.Split.TRAIN);
        Set<String> heldOut = questions(task, Task.Split.HELD_OUT);
        assertEquals(2000, task.size(Task.Split.TRAIN) + task.size(Task.Split.HELD_OUT));
        // 100 of 1000 are expected, with a deviation of 9.5.
        assertTrue(heldOut.size() > 60 && heldOut.size() < 140, () -> heldOut.size() + " held out");
        assertTrue(heldOut.stream().noneMatch(train::contains));
    }

    @Test
    void otherFileIsHeldOut() throws IOException {
        Path test = file("test.jsonl", "{'question': 'B  b', 'answer': '2'}\n");
        Path train = file("train.jsonl", "{'question': 'A', 'answer': '1'}\n{'question': 'B b', 'answer': '2'}\n");
        Task task = Tasks.of(train + ":held_out=" + test, Progress.silent());
        assertEquals(Set.of("A"), questions(task, Task.Split.TRAIN));
        assertEquals(Set.of("B  b"), questions(task, Task.Split.HELD_OUT));
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', quoteCharacter = '`', textBlock = """
                    {'question': 'Q'}                                  | line 2 has no field 'answer'; its fields are [question]. Name the fields as in bad.jsonl:question=prompt,answer=solution.
                    {'text': 'Q', 'answer': '1'}                       | line 2 has no field 'question'; its fields are [text, answer].
                    {'question': ' ', 'answer': '1'}                   | line 2 has nothing in 'question', expected a text.
                    {'question': ['Q'], 'answer': '1'}                 | line 2 has no text in 'question', expected a text.
                    {'question': 'Q', 'answer': '1', 'reward': 'luck'} | line 2: there is no reward 'luck'; expected one of
                    {'question': 'Q', 'answer': '1', 'reward': 'accuracy'} | line 2: accuracy is what this reward decides; expected one of exact, numeric,
                    {'question': 'Q', 'answer': '1', 'held_out': 'no'} | line 2 has 'no' in 'held_out', expected true or false.
                    [1]                                                | line 2 is no JSON object
                    {'question':                                       | line 2 is not JSON:
                    """)
    void wrongLinesAreRefused(String line, String message) throws IOException {
        Path file = file("bad.jsonl", "{'question': 'Q', 'answer': '1'}\n" + line + "\n");
        String said = assertThrows(BadInput.class, () -> Tasks.of(file.toString(), Progress.silent()))
                .getMessage();
        assertTrue(Objects.requireNonNull(said).startsWith(file + ": " + message), said);
    }

    @Test
    void emptyAndMissingFilesAreRefused() throws IOException {
        Path empty = file("empty.jsonl", "\n \n");
        assertEquals(
                empty + " holds no problem; expected lines such as {\"question\": \"...\", \"answer\": \"...\"}.",
                assertThrows(BadInput.class, () -> Tasks.of(empty.toString(), Progress.silent()))
                        .getMessage());
        String missing = folder.resolve("missing.jsonl").toString();
        assertEquals(
                "there is no file " + missing + ".",
                assertThrows(BadInput.class, () -> Tasks.of(missing, Progress.silent()))
                        .getMessage());
        assertFalse(Files.exists(Path.of(missing)));
    }
}
