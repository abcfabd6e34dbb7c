package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ChatCommandTest {
    @TempDir
    static Path folder;

    private static String model = "";

    @BeforeAll
    static void write() throws IOException {
        model = Tiny.model(folder.resolve("model")).toString();
    }

    @Test
    void aConversationStartsAnewAfterClear() {
        String twice = chat("hello\nhello\n");
        String cleared = chat("hello\n/clear\nhello\n");
        String once = chat("hello\n");
        assertEquals(once + once, cleared);
        assertNotEquals(once + once, twice);
    }

    @Test
    void exitAndBlankLinesSayNothing() {
        assertEquals("", chat("\n \n/exit\nhello\n"));
    }

    @Test
    void whatTheModelIsToldBeforehandMatters() {
        assertNotEquals(chat("hello\n"), chat("hello\n", "--system", "Answer in French."));
    }

    @Test
    void withoutATemplateItIsRefused() throws IOException {
        Path bare = Tiny.model(folder.resolve("bare"));
        Files.delete(bare.resolve("tokenizer_config.json"));
        Captured run = Captured.runWith("hello\n", "chat", bare.toString());
        assertEquals(2, run.code());
        assertEquals(
                "wok: %s has no chat template (tokenizer_config.json or chat_template.jinja); use wok generate.\n"
                        .formatted(bare),
                run.err());
    }

    @Test
    void aStopStringEndsEachAnswer() {
        String whole = chat("hello\n");
        String stop = whole.substring(2, 4);
        assertEquals(whole.substring(0, whole.indexOf(stop)) + "\n", chat("hello\n", "--stop", stop));
    }

    private static String chat(String input, String... more) {
        String[] arguments = new String[more.length + 5];
        String[] first = {"chat", model, "--greedy", "--max-tokens", "8"};
        System.arraycopy(first, 0, arguments, 0, first.length);
        System.arraycopy(more, 0, arguments, first.length, more.length);
        Captured run = Captured.runWith(input, arguments);
        assertEquals(0, run.code(), run.err());
        return run.out();
    }
}
