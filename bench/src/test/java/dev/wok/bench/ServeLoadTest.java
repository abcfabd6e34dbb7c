package dev.wok.bench;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.api.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.parrot.Family;
import dev.wok.parrot.Parrot;
import dev.wok.serve.Server;
import dev.wok.text.Tokenizer;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class ServeLoadTest {
    private static final Setup SETUP = new Setup("x86", "avx2", "f32", 1);

    private static double value(List<Row> rows, String name) {
        return rows.stream()
                .filter(row -> row.name().equals("serve_load_8." + name))
                .findFirst()
                .orElseThrow()
                .value();
    }

    @Test
    void aLoadIsAnsweredOrRefusedAndLeavesNoPages() {
        try (Model model = Model.load(Parrot.usual(Family.QWEN));
                Server server = Server.start(Server.Options.defaults()
                        .withPort(0)
                        .withModel("parrot", model)
                        .withLimits(Server.Limits.defaults().withQueue(0)))) {
            List<Row> rows = new ServeLoad(model, server, SETUP, Progress.silent()).rows(8, 1, 1);
            assertEquals(0, value(rows, "failed"));
            assertEquals(0, value(rows, "pages"));
            assertTrue(value(rows, "throughput") > 0);
        }
    }

    @Test
    void aClientSaysWhatWentWrong() {
        assertTrue(new ChatClient(1).ask("x", 1) instanceof ChatClient.Failed);
    }

    @Test
    void aTokenizerIsMadeUp() {
        Tokenizer tokenizer = MadeUpTokenizer.of(500);
        assertEquals(500, tokenizer.size());
        String text = "words, Grüße \uD83E\uDD9C";
        assertEquals(text, tokenizer.decode(tokenizer.encode(text), false));
        assertEquals(
                "user: x\n",
                tokenizer
                        .chatTemplate()
                        .orElseThrow()
                        .render(List.of(Map.of("role", "user", "content", "x")), List.of(), true));
        assertEquals(
                "the model has 255 ids, a server is measured with 256 or more.",
                assertThrows(BadInput.class, () -> MadeUpTokenizer.of(255)).getMessage());
    }
}
