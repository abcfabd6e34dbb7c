package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class R1CommandTest {
    @TempDir
    Path folder;

    @Test
    void stagesRunInOrder() throws IOException {
        Path file = Files.writeString(folder.resolve("pipeline.yaml"), """
                out: made
                stages:
                  - {name: shown, kind: text, settings: {documents: 3, form: demonstrations}}
                  - {kind: text, settings: {documents: 5}}
                """);
        Captured planned = Captured.run("r1", file.toString(), "--dry-run");
        assertEquals(0, planned.code(), planned.err());
        assertEquals("01-shown  text  to do%n02-text  text  to do%n".formatted(), planned.out());
        assertFalse(Files.exists(folder.resolve("made")));
        Captured done = Captured.run("r1", file.toString());
        assertEquals(0, done.code(), done.err());
        assertTrue(done.out().startsWith("all stages are done: " + folder.resolve("made")), done.out());
        assertTrue(done.err().contains("stage 2 of 2, text: text"), done.err());
        assertEquals(
                3,
                Files.readAllLines(folder.resolve("made/01-shown/data.jsonl")).size());
        assertEquals(
                5, Files.readAllLines(folder.resolve("made/02-text/data.jsonl")).size());
        assertEquals(
                "01-shown  text  done%n02-text  text  done%n".formatted(),
                Captured.run("r1", file.toString(), "--dry-run").out());
    }

    @Test
    void whatIsWrongIsOneLine() throws IOException {
        Path file = Files.writeString(folder.resolve("p.yaml"), "stages:\n  - kind: grpo\n    model: x\n");
        Captured refused =
                Captured.run("r1", file.toString(), "--out", folder.resolve("o").toString());
        assertEquals(2, refused.code());
        assertEquals(1, refused.errLines().size());
        assertTrue(refused.err().contains("p.yaml, line 2, stage grpo: its model is x"), refused.err());
        assertTrue(Captured.run("r1", file.toString()).err().contains("names no folder: add out:"));
        Captured nothing = Captured.run("r1");
        assertEquals(2, nothing.code());
        assertTrue(nothing.err().contains("Missing required parameter: 'FILE'. See wok r1 --help."), nothing.err());
    }
}
