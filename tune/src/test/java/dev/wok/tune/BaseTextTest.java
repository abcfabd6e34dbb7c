package dev.wok.tune;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import tools.jackson.databind.json.JsonMapper;

class BaseTextTest {
    private static final int COUNT = 4000;

    @TempDir
    Path folder;

    private static BaseText text(Map<Style, Double> shares, String... tasks) {
        return new BaseText(
                List.of(tasks).stream()
                        .map(name -> (GeneratedTask) Tasks.of(name, Progress.silent()))
                        .toList(),
                shares,
                5);
    }

    private static String answer(BaseText text, int index, Problem problem) {
        String document = text.document(index);
        assertTrue(document.startsWith(problem.question() + " "), document);
        return document.substring(problem.question().length());
    }

    /// A model that has read such a text answers in its styles: its rewards at first are those of the
    /// text.
    @ParameterizedTest
    @CsvSource({"arithmetic,0.25", "countdown,0.2", "exchange,0.3", "strings,0.25"})
    void carefulAnswersAreRightAndOthersMostlyNot(String name, double most) {
        BaseText text = text(BaseText.usualShares(), name);
        GeneratedTask task = text.tasks().getFirst();
        Reward format = Rewards.format(false);
        int right = 0;
        int well = 0;
        int careful = 0;
        for (int i = 0; i < COUNT; i++) {
            Problem problem = task.problem(Task.Split.TRAIN, i, text.seed());
            assertEquals(Task.Split.TRAIN, GeneratedTask.place(task.canonical(problem)));
            Completion completion = new Completion(answer(text, i, problem), 1, false);
            double accuracy = task.accuracy().score(problem, completion).value();
            double form = format.score(problem, completion).value();
            right += (int) accuracy;
            well += (int) form;
            careful += (int) (accuracy * form);
        }
        // Shares of 4000: a deviation is at most 0.008.
        double share = Style.CAREFUL.share();
        assertEquals(share + Style.CARELESS.share(), well / (double) COUNT, 0.04);
        assertTrue(careful >= (share - 0.03) * COUNT, careful + " careful");
        assertTrue(right >= careful && right <= most * COUNT, right + " right");
    }

    @Test
    void documentsAreAFunctionOfTheSeed() {
        BaseText text = text(BaseText.usualShares(), "countdown", "strings");
        assertEquals(
                text.document(11),
                text(BaseText.usualShares(), "countdown", "strings").document(11));
        assertNotEquals(text.document(11), new BaseText(text.tasks(), text.shares(), 6).document(11));
        assertTrue(text.document(10).startsWith("Make "), text.document(10));
    }

    @Test
    void fileHasADocumentPerLine() throws IOException {
        BaseText text = text(Map.of(Style.CAREFUL, 1.0), "arithmetic");
        Path file = folder.resolve("base.jsonl");
        text.write(file, 30, Progress.silent());
        List<String> lines = Files.readAllLines(file);
        assertEquals(30, lines.size());
        for (int i = 0; i < lines.size(); i++) {
            String document = text.document(i);
            assertEquals(
                    document,
                    JsonMapper.shared().readTree(lines.get(i)).get("text").asString());
            assertTrue(document.contains("? <think>\n") && document.endsWith("</answer>"), document);
        }
        Path nowhere = folder.resolve("no/base.jsonl");
        String said = assertThrows(BadInput.class, () -> text.write(nowhere, 1, Progress.silent()))
                .getMessage();
        assertEquals(nowhere + " could not be written: nothing can be made there.", said);
        assertFalse(Files.exists(folder.resolve("no")));
    }

    private static Map<Style, Double> positive(Map<Style, Double> shares) {
        Map<Style, Double> some = new HashMap<>(shares);
        some.values().removeIf(share -> share == 0);
        return some;
    }

    @Test
    void sharesAddUp() {
        String said = assertThrows(BadInput.class, () -> text(Map.of(Style.PLAIN, 0.5), "exchange"))
                .getMessage();
        assertEquals("the shares of the styles are {plain=0.5}; expected numbers from 0 that add up to 1.", said);
        assertEquals(
                Map.of(Style.CAREFUL, 0.25, Style.PLAIN, 0.75),
                positive(BaseText.shares(Parameters.of("the text", "plain=0.75,careful=0.25"))));
        assertEquals(BaseText.usualShares(), BaseText.shares(Parameters.of("the text", "")));
        assertThrows(BadInput.class, () -> text(Map.of(Style.PLAIN, 1.5, Style.CAREFUL, -0.5), "exchange"));
        assertThrows(BadInput.class, () -> text(Map.of(Style.PLAIN, 1.0)));
        assertThrows(BadInput.class, () -> text(Map.of(Style.PLAIN, Double.NaN), "exchange"));
    }
}
