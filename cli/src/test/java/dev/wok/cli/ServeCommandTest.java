package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ServeCommandTest {
    @TempDir
    Path folder;

    private static void assertRefused(String message, String... arguments) {
        String[] all = new String[arguments.length + 1];
        all[0] = "serve";
        System.arraycopy(arguments, 0, all, 1, arguments.length);
        Captured run = Captured.run(all);
        assertEquals(2, run.code(), run.err());
        assertEquals("wok: " + message + "\n", run.err());
        assertEquals("", run.out());
    }

    @Test
    void whatCannotBeServedIsRefused() {
        assertRefused("there is no model to serve; give MODEL or --model NAME=PATH.");
        for (String bad : new String[] {"x", "=x", "x="}) {
            assertRefused("--model %s: expected NAME=PATH.".formatted(bad), "--model", bad);
        }
        assertRefused("port 70000: expected 0 (any that is free) to 65535.", "m", "--port", "70000");
        assertRefused("--timeout 0: expected 1 to 1000000.", "m", "--timeout", "0");
        assertRefused("--max-body 3000: expected 1 to 2000.", "m", "--max-body", "3000");
        assertRefused("a queue of -1 texts is asked for, expected 0 or more.", "m", "--queue", "-1");
        assertRefused(
                "--tls needs the key store's password: set WOK_TLS_PASSWORD, or give --tls-password-file.",
                "m",
                "--tls",
                "store");
        assertRefused(
                "there is no file %s.".formatted(folder.resolve("p")),
                "m",
                "--tls",
                "store",
                "--tls-password-file",
                folder.resolve("p").toString());
        assertRefused("--new-key goes with --keys FILE, to which the key is added.", "--new-key", "alice");
    }

    @Test
    void aKeyIsAddedAndPrinted() throws IOException {
        Path file = folder.resolve("keys");
        Captured run = Captured.run(
                "serve",
                "--keys",
                file.toString(),
                "--new-key",
                "alice",
                "--texts",
                "3",
                "--tokens-per-minute",
                "1000");
        assertEquals(0, run.code(), run.err());
        assertTrue(run.out().matches("wok-[A-Za-z0-9_-]{43}\n"), run.out());
        assertEquals("added to %s; the key itself is nowhere but here\n".formatted(file), run.err());
        assertTrue(Files.readString(file).matches("alice [0-9a-f]{64} tokens=1000 texts=3\n"));
        assertRefused(
                "a key's limit requests=0: expected 1 or more.",
                "--keys",
                file.toString(),
                "--new-key",
                "bob",
                "--requests-per-minute",
                "0");
    }

    @Test
    void modelsAreCalledByTheirFiles() {
        assertEquals("nano", ServeCommand.name(Path.of("runs/nano/model")));
        assertEquals("nano", ServeCommand.name(Path.of("runs/nano/model/../model/")));
        assertEquals("Qwen2.5-1.5B", ServeCommand.name(Path.of("Qwen2.5-1.5B.gguf")));
        assertEquals("r1", ServeCommand.name(Path.of("/r1")));
        assertEquals("model", ServeCommand.name(Path.of("/model")));
        assertEquals("model", ServeCommand.name(Path.of("/")));
    }

    @Test
    void itServesUntilItIsInterrupted() throws Exception {
        Path model = Tiny.model(folder.resolve("tiny"));
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        ByteArrayOutputStream err = new ByteArrayOutputStream();
        Console console = new Console(
                new ByteArrayInputStream(new byte[0]),
                new PrintStream(out, true, StandardCharsets.UTF_8),
                new PrintStream(err, true, StandardCharsets.UTF_8),
                Map.of());
        CompletableFuture<Integer> code = new CompletableFuture<>();
        String[] arguments = {"serve", model.toString(), "--port", "0", "--host", "0.0.0.0"};
        Thread command =
                Thread.ofPlatform().start(() -> code.complete(Main.run(arguments, console, new Display(console))));
        while (!out.toString(StandardCharsets.UTF_8).endsWith("\n") && command.isAlive()) {
            Thread.sleep(10);
        }
        String said = out.toString(StandardCharsets.UTF_8);
        assertTrue(
                said.matches("listening at http://localhost:\\d+ \\(a page to chat is there, what the server does at"
                        + " /status\\)\n"),
                said + err.toString(StandardCharsets.UTF_8));
        int port = URI.create(said.split(" ")[2]).getPort();
        String answer = post(port, "/v1/completions", "{\"prompt\": \"int x\", \"max_tokens\": 3}");
        assertTrue(answer.startsWith("HTTP/1.1 200 ") && answer.contains("\"model\":\"tiny\""), answer);
        command.interrupt();
        assertEquals(130, code.get());
        assertEquals(
                "WARNING: whoever reaches 0.0.0.0 can use this server and read what its status page shows; give it a"
                        + " file of keys.\n",
                err.toString(StandardCharsets.UTF_8));
    }

    private static String post(int port, String path, String body) throws IOException {
        try (Socket socket = new Socket("localhost", port)) {
            socket.getOutputStream()
                    .write(("POST %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
                                    .formatted(path, body.length(), body))
                            .getBytes(StandardCharsets.UTF_8));
            return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        }
    }
}
