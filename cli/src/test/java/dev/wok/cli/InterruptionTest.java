package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.api.Answer;
import dev.wok.api.Model;
import dev.wok.generate.Generation.FinishReason;
import java.io.IOException;
import java.nio.file.Path;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

class InterruptionTest {
    @TempDir
    static Path folder;

    /// What the hook does, on another thread while the answer is printed.
    @Test
    @Timeout(60)
    void whatIsInterruptedIsPrintedToItsEnd() throws IOException, InterruptedException {
        StringBuilder printed = new StringBuilder();
        try (Model model = Model.load(Tiny.model(folder.resolve("model")))) {
            Answer answer = model.generate(
                    "x", Answer.Options.defaults().withMaxTokens(100_000).withIgnoreEos(true));
            CountDownLatch ended = new CountDownLatch(1);
            Thread hook = new Thread(() -> Interruption.cancel(answer::cancel, ended));
            assertFalse(Interruption.during(answer, () -> {
                hook.start();
                answer.forEach(printed::append);
            }));
            ended.countDown();
            hook.join();
            assertEquals(FinishReason.CANCELLED, answer.finishReason());
            assertEquals(answer.text(), printed.toString());
            Answer next = model.generate("x", Answer.Options.defaults().withMaxTokens(1));
            assertTrue(Interruption.during(next, next::text));
        }
    }
}
