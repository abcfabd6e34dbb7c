package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import dev.wok.tune.Completion;
import dev.wok.tune.Teacher;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import tools.jackson.databind.JsonNode;

@Timeout(60)
class RemoteTeacherTest {
    private static final String GOOD = """
            {"choices": [{"message": {"role": "assistant", "content": "é = 4"}, "finish_reason": "stop"}],
             "usage": {"completion_tokens": 5}}""";

    private static final String ERROR = "{\"error\": {\"message\": \"no such\\nmodel\"}}";

    private final Deque<Object> script = new ArrayDeque<>();
    private final List<String> bodies = new ArrayList<>();
    private final List<String> keys = new ArrayList<>();
    private final CountDownLatch ended = new CountDownLatch(1);
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private ServerSocket server;

    @BeforeEach
    void serve() throws IOException {
        server = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        threads.submit(() -> {
            while (true) {
                Socket connection = server.accept();
                threads.submit(() -> answer(connection));
            }
        });
    }

    @AfterEach
    void stop() throws IOException {
        ended.countDown();
        server.close();
        threads.shutdownNow();
    }

    /// Gives the next of the script: a status alone, a body with 200, or nothing at all.
    private @Nullable Void answer(Socket connection) throws IOException, InterruptedException {
        try (connection) {
            Object next;
            synchronized (script) {
                read(connection.getInputStream());
                next = script.remove();
            }
            switch (next) {
                case Integer status -> write(connection, status, ERROR, ERROR.length());
                case String text
                when text.equals("hang") -> {
                    write(connection, 200, text, 100);
                    ended.await();
                }
                case String text -> write(connection, 200, text, text.getBytes(StandardCharsets.UTF_8).length);
                default -> ended.await();
            }
        }
        return null;
    }

    private void read(InputStream in) throws IOException {
        StringBuilder head = new StringBuilder();
        while (head.indexOf("\r\n\r\n") < 0) {
            head.append((char) in.read());
        }
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        head.toString().lines().filter(line -> line.contains(": ")).forEach(line -> {
            int colon = line.indexOf(": ");
            headers.put(line.substring(0, colon), line.substring(colon + 2));
        });
        keys.add(String.valueOf(headers.get("Authorization")));
        bodies.add(new String(in.readNBytes(Integer.parseInt(headers.get("Content-Length"))), StandardCharsets.UTF_8));
    }

    private static void write(Socket connection, int status, String body, int length) throws IOException {
        String head = "HTTP/1.1 %d said\r\nContent-Length: %d\r\nRetry-After: 0\r\nConnection: close\r\n\r\n"
                .formatted(status, length);
        connection.getOutputStream().write((head + body).getBytes(StandardCharsets.UTF_8));
        connection.getOutputStream().flush();
    }

    private String address() {
        return "http://127.0.0.1:%d/v1".formatted(server.getLocalPort());
    }

    private Completion ask(String address, Duration timeout, int tries) {
        RemoteTeacher.Settings settings = new RemoteTeacher.Settings(
                URI.create(address), "big", Optional.of("secret"), 0.7, 99, 2, timeout, tries, Duration.ofMillis(1));
        try (RemoteTeacher teacher = new RemoteTeacher(settings)) {
            return teacher.answer("2 + 2?", -1);
        }
    }

    private Completion ask() {
        return ask(address(), Duration.ofSeconds(20), 3);
    }

    private String refused(Duration timeout, int tries) {
        return String.valueOf(assertThrows(BadInput.class, () -> ask(address(), timeout, tries))
                .getMessage());
    }

    @Test
    void askedAgainWhereTheServerIsBusy() {
        script.addAll(List.of(429, 503, GOOD));
        assertEquals(new Completion("é = 4", 5, false), ask());
        assertEquals(3, bodies.size());
        assertEquals(List.of("Bearer secret", "Bearer secret", "Bearer secret"), keys);
        JsonNode body = Json.object(bodies.getFirst(), "the request");
        assertEquals("big", body.path("model").asString());
        assertEquals("2 + 2?", body.path("messages").path(0).path("content").asString());
        assertEquals(0.7, body.path("temperature").asDouble());
        assertEquals(99, body.path("max_tokens").asInt());
        assertEquals(Integer.MAX_VALUE, body.path("seed").asInt());
    }

    @Test
    void thoughtsStandBetweenTags() {
        script.add("""
                {"choices": [{"message": {"content": "4", "reasoning_content": "2 and 2\\n"}, "finish_reason": "length"}]}
                """);
        assertEquals(
                new Completion("<think>\n2 and 2\n</think>\n\n4", 0, true),
                ask(address() + "/", Duration.ofSeconds(20), 1));
    }

    @Test
    void refusals() {
        String endpoint = address() + "/chat/completions";
        script.addAll(List.of(429, 429));
        assertEquals(
                endpoint + " answers with status 429, 2 times; go on later with the same command.",
                refused(Duration.ofSeconds(20), 2));
        script.add(404);
        assertEquals(
                endpoint + " answers with status 404: {\"error\": {\"message\": \"no such\\nmodel\"}}.",
                refused(Duration.ofSeconds(20), 2));
        script.add("<html>");
        String garbage = refused(Duration.ofSeconds(20), 2);
        assertTrue(garbage.startsWith("what " + endpoint + " answers is not JSON: "), garbage);
        script.add("{\"choices\": []}");
        assertEquals(
                "what " + endpoint
                        + " answers has no choices[0].message.content, expected a chat completion: {\"choices\": []}.",
                refused(Duration.ofSeconds(20), 2));
    }

    @Test
    void aQuestionMayBeRefusedForGood() {
        script.add(400);
        assertEquals(
                address()
                        + "/chat/completions answers with status 400: {\"error\": {\"message\": \"no such\\nmodel\"}}.",
                assertThrows(Teacher.Refusal.class, this::ask).getMessage());
        script.add("{\"choices\": [{\"message\": {\"content\": null}, \"finish_reason\": \"content_filter\"}]}");
        String said =
                String.valueOf(assertThrows(Teacher.Refusal.class, this::ask).getMessage());
        assertTrue(said.contains(" has no content: {\"choices\""), said);
        script.add("{\"choices\": [{\"message\": {\"content\": null}, \"finish_reason\": \"length\"}]}");
        assertEquals(new Completion("", 0, true), ask());
    }

    @Test
    void whoeverNeverAnswersIsGivenUp() {
        script.addAll(List.of(new Object(), "hang"));
        assertEquals(
                address()
                        + "/chat/completions gave no answer within 0.3 s, 2 times; go on later with the same command.",
                refused(Duration.ofMillis(300), 2));
        assertEquals(List.of(), List.copyOf(script), "the second try hung within its answer");
    }

    @Test
    void whoIsNotThereIsNamed() throws IOException {
        server.close();
        String message = refused(Duration.ofSeconds(20), 2);
        assertTrue(message.startsWith(address() + "/chat/completions cannot be reached ("), message);
        assertTrue(message.endsWith("), 2 times; go on later with the same command."), message);
    }

    @Test
    void whatIsNoAddressIsRefused() {
        assertEquals(
                "--teacher http:///v1 is no address, expected such as http://localhost:8000/v1.",
                assertThrows(BadInput.class, () -> RemoteTeacher.address("http:///v1"))
                        .getMessage());
        assertEquals(
                "--teacher http://a b/ is no address: Illegal character in authority.",
                assertThrows(BadInput.class, () -> RemoteTeacher.address("http://a b/"))
                        .getMessage());
    }
}
