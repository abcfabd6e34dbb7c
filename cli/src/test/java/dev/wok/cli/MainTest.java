package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class MainTest {

    @Test
    void withoutArgumentsItPrintsTheHelp() {
        Captured run = Captured.run();
        assertEquals(0, run.code());
        assertTrue(run.out().startsWith("Usage: wok"), run.out());
        assertEquals("", run.err());
    }

    @Test
    void everyHelpEndsInAnExample() {
        Console console = console(OutputStream.nullOutputStream());
        CommandLine line = Main.commands(new Wok(), console, new Display(console));
        assertEquals(
                Set.of(
                        "train",
                        "sft",
                        "dpo",
                        "grpo",
                        "distill",
                        "r1",
                        "eval",
                        "task",
                        "merge",
                        "report",
                        "bench",
                        "generate",
                        "chat",
                        "serve",
                        "logits",
                        "tokenize",
                        "convert",
                        "inspect",
                        "ptx",
                        "doctor"),
                line.getSubcommands().keySet());
        for (String command : line.getSubcommands().keySet()) {
            Captured run = Captured.run(command, "--help");
            assertEquals(0, run.code(), command);
            String[] lines = run.out().lines().toArray(String[]::new);
            assertEquals("Example:", lines[lines.length - 2].strip(), command);
            assertTrue(lines[lines.length - 1].contains("wok " + command), lines[lines.length - 1]);
        }
    }

    @Test
    void aMistypedCommandIsRefusedWithTheNearestOne() {
        Captured run = Captured.run("doctr");
        assertEquals(2, run.code());
        assertEquals("wok: unknown command 'doctr'; did you mean doctor? See wok --help.\n", run.err());
        assertEquals("", run.out());
    }

    @Test
    void aMistypedOptionIsRefusedWithTheNearestOne() {
        Captured run = Captured.run("doctor", "--jsn");
        assertEquals(2, run.code());
        assertEquals("wok: unknown option '--jsn'; did you mean --json? See wok doctor --help.\n", run.err());
    }

    @Test
    void whatResemblesNothingIsRefusedInOneLineToo() {
        Captured run = Captured.run("doctor", "extra");
        assertEquals(2, run.code());
        assertEquals("wok: unexpected argument 'extra'. See wok doctor --help.\n", run.err());
    }

    @Test
    void lostOutputIsAFailure() {
        OutputStream full = new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException("No space left on device");
            }
        };
        Console console = console(full);
        assertEquals(1, Main.run(new String[] {"doctor"}, console, new Display(console)));
    }

    private static Console console(OutputStream out) {
        return new Console(
                InputStream.nullInputStream(),
                new PrintStream(out, false, StandardCharsets.UTF_8),
                new PrintStream(OutputStream.nullOutputStream(), false, StandardCharsets.UTF_8),
                Map.of());
    }
}
