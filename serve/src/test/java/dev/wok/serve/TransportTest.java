package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.JsonNodeFactory;

class TransportTest {
    private static final Endpoint ECHO = Served.post("/echo", call -> call.send(200, call.body()));
    private static final Duration SHORT = Duration.ofMillis(200);
    private static final int LONG_SECONDS = 20;

    private static JsonNode json(String text) {
        return JsonMapper.shared().readTree(text);
    }

    private static String message(HttpResponse<String> response) {
        return json(response.body()).get("error").get("message").asString();
    }

    private static void await(CountDownLatch latch) {
        try {
            assertTrue(latch.await(LONG_SECONDS, TimeUnit.SECONDS), "it didn't come about");
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void anAnswerGoesToWhoAsked() {
        Endpoint named = Served.get(
                "/named/{id}",
                call -> call.send(
                        200,
                        JsonNodeFactory.instance
                                .objectNode()
                                .put("id", call.id())
                                .put("path", call.path())
                                .put("thread", Thread.currentThread().isVirtual())));
        try (Served served = Served.of(ECHO, named)) {
            HttpResponse<String> echoed = served.post("/echo?x=1", "{\"a\": \"ä\\u0000\", \"b\": [1.5]}");
            assertEquals(200, echoed.statusCode());
            assertEquals("{\"a\":\"ä\\u0000\",\"b\":[1.5]}", echoed.body());
            assertEquals(
                    "application/json",
                    echoed.headers().firstValue("content-type").orElseThrow());
            assertTrue(echoed.headers().firstValue("x-request-id").orElseThrow().matches("req_[0-9a-f]{16}"));
            JsonNode answer = json(served.get("/named/a%2Fb/c%20+d%C3%A4").body());
            assertEquals("a/b/c +dä", answer.get("id").asString());
            assertEquals("/named/a/b/c +dä", answer.get("path").asString());
            assertTrue(answer.get("thread").asBoolean());
            HttpResponse<String> head =
                    served.send(served.request("/named/x").method("HEAD", HttpRequest.BodyPublishers.noBody()));
            assertEquals(200, head.statusCode());
            assertEquals("", head.body());
            assertEquals(4, served.metrics.answered() + 1);
        }
    }

    @Test
    void eventsComeOneByOneAndCommentsInBetween() throws Exception {
        CountDownLatch first = new CountDownLatch(1);
        Endpoint stream = Served.post("/stream", call -> {
            Call.Events events = call.events();
            events.send(json("{\"n\":1}"));
            await(first);
            events.send("ping", json("{\"n\":2}"));
            events.send("[DONE]");
            events.end();
        });
        try (Served served = Served.of(
                        options -> options.withLimits(options.limits().withQuiet(Duration.ofMillis(50))), stream);
                Socket socket = served.socket()) {
            Served.write(socket, "POST /stream HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            String head = Served.readTo(socket, "data: {\"n\":1}\n\n");
            assertTrue(head.startsWith("HTTP/1.1 200 OK\r\n"), head);
            assertTrue(head.contains("content-type: text/event-stream; charset=utf-8\r\n"), head);
            String quiet = Served.readTo(socket, ": keep-alive\n\n");
            assertTrue(quiet.endsWith(": keep-alive\n\n"), quiet);
            first.countDown();
            String rest = Served.readTo(socket, "\r\n0\r\n\r\n");
            assertTrue(rest.contains("event: ping\ndata: {\"n\":2}\n\n"), rest);
            assertTrue(rest.contains("data: [DONE]\n\n"), rest);
        }
    }

    @Test
    void whoeverGoesIsNoticedAtOnce() throws Exception {
        CountDownLatch begun = new CountDownLatch(2);
        CountDownLatch gone = new CountDownLatch(2);
        Endpoint whole = Served.post("/whole", call -> {
            CountDownLatch left = new CountDownLatch(1);
            call.whenGone(left::countDown);
            begun.countDown();
            await(left);
            gone.countDown();
            call.send(200, JsonNodeFactory.instance.objectNode());
        });
        Endpoint stream = Served.post("/stream", call -> {
            CountDownLatch left = new CountDownLatch(1);
            call.whenGone(left::countDown);
            Call.Events events = call.events();
            begun.countDown();
            await(left);
            events.send("nobody reads this");
            CountDownLatch late = new CountDownLatch(1);
            call.whenGone(late::countDown);
            await(late);
            events.end();
            gone.countDown();
        });
        try (Served served = Served.of(whole, stream)) {
            for (String path : new String[] {"/whole", "/stream"}) {
                try (Socket socket = served.socket()) {
                    Served.write(
                            socket,
                            "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}".formatted(path));
                    if (path.equals("/stream")) {
                        Served.readTo(socket, "\r\n\r\n");
                    }
                    while (begun.getCount() > (path.equals("/stream") ? 0 : 1)) {
                        Thread.onSpinWait();
                    }
                }
            }
            await(gone);
        }
    }

    @Test
    void whoeverWentWasNotRefused() throws Exception {
        CountDownLatch begun = new CountDownLatch(1);
        CountDownLatch left = new CountDownLatch(1);
        Endpoint waits = Served.post("/waits", call -> {
            call.whenGone(left::countDown);
            begun.countDown();
            await(left);
            throw Refusal.unavailable("cancelled", "nobody waits.", 1);
        });
        Served served = Served.of(waits);
        try (served) {
            try (Socket socket = served.socket()) {
                Served.write(socket, "POST /waits HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}");
                await(begun);
            }
            await(left);
        }
        Exposition figures = new Exposition();
        served.metrics.write(figures);
        String text = figures.toString();
        assertTrue(text.contains("wok_gone_total 1\n") && !text.contains("cancelled"), text);
    }

    @Test
    void whoeverDoesNotReadIsGoneToo() throws Exception {
        CountDownLatch gone = new CountDownLatch(1);
        Endpoint flood = Served.post("/flood", call -> {
            call.whenGone(gone::countDown);
            Call.Events events = call.events();
            while (gone.getCount() > 0) {
                events.send("x".repeat(10_000));
            }
            events.end();
        });
        try (Served served =
                        Served.of(options -> options.withLimits(options.limits().withIdle(SHORT)), flood);
                Socket socket = served.socket()) {
            Served.write(socket, "POST /flood HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            await(gone);
            String got = Served.readAll(socket);
            assertTrue(got.contains("data: xxx") && !got.endsWith("\r\n0\r\n\r\n"), "it was cut");
        }
    }

    @Test
    void aSlowReaderGetsAll() throws Exception {
        int events = 300;
        Endpoint much = Served.post("/much", call -> {
            Call.Events out = call.events();
            for (int i = 0; i < events; i++) {
                out.send("%05d".formatted(i) + "x".repeat(20_000));
            }
            out.end();
        });
        try (Served served = Served.of(much);
                Socket socket = served.socket()) {
            Served.write(socket, "POST /much HTTP/1.0\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
            Thread.sleep(SHORT);
            String all = Served.readAll(socket);
            int at = 0;
            for (int i = 0; i < events; i++) {
                at = all.indexOf("data: %05dxx".formatted(i), at);
                assertTrue(at > 0, "event " + i);
            }
            // HTTP/1.0 knows no chunks, and proxies speak it.
            assertFalse(all.contains("chunked"), all.substring(0, 300));
            assertTrue(served.said.lines().isEmpty(), served.said.lines().toString());
        }
    }

    @Test
    void whatARouteThrowsIsTheAnswer() {
        Endpoint refuses = Served.post("/refuses", _ -> {
            throw Refusal.tooMuch("tokens", "slowly", 7);
        });
        Endpoint late = Served.post("/late", call -> {
            call.events().send("one");
            throw Refusal.unavailable("busy", "not now", 1);
        });
        Endpoint bad = Served.post("/bad", _ -> {
            throw new BadInput("temperature is 3, expected 0 to 2.");
        });
        Endpoint breaks = Served.post("/breaks", _ -> {
            throw new IllegalStateException("secret\npath");
        });
        Endpoint answersAndBreaks = Served.post("/both", call -> {
            call.send(200, call.body());
            throw new IllegalStateException("late");
        });
        Endpoint mute = Served.post("/mute", _ -> {});
        try (Served served = Served.of(refuses, late, bad, breaks, answersAndBreaks, mute)) {
            HttpResponse<String> refused = served.post("/refuses", "{}");
            assertEquals(429, refused.statusCode());
            assertEquals("7", refused.headers().firstValue("retry-after").orElseThrow());
            assertEquals(
                    "{\"error\":{\"message\":\"slowly\",\"type\":\"tokens\",\"param\":null,"
                            + "\"code\":\"rate_limit_exceeded\"}}",
                    refused.body());
            assertEquals(
                    "data: one\n\ndata: {\"error\":{\"message\":\"not now\",\"type\":\"server_error\",\"param\":null,"
                            + "\"code\":\"busy\"}}\n\n",
                    served.post("/late", "{}").body());
            HttpResponse<String> wrong = served.post("/bad", "{}");
            assertEquals(400, wrong.statusCode());
            assertEquals("temperature is 3, expected 0 to 2.", message(wrong));
            assertTrue(served.said.lines().isEmpty(), served.said.lines().toString());
            HttpResponse<String> broken = served.post("/breaks", "{}");
            assertEquals(500, broken.statusCode());
            assertFalse(broken.body().contains("secret"), broken.body());
            String id = broken.headers().firstValue("x-request-id").orElseThrow();
            assertEquals("the server failed; its log says why at %s.".formatted(id), message(broken));
            assertTrue(
                    served.said
                            .lines()
                            .getFirst()
                            .startsWith(id + " failed: java.lang.IllegalStateException: secret path < dev.wok.serve."),
                    served.said.lines().toString());
            assertEquals(200, served.post("/both", "{}").statusCode());
            assertEquals(500, served.post("/mute", "{}").statusCode());
            assertEquals(1, served.metrics.answered(429));
        }
    }

    @Test
    void whatIsNoRequestIsRefused() throws IOException {
        try (Served served = Served.of(
                options -> options.withLimits(options.limits().withBodyBytes(1000)),
                ECHO,
                Served.get("/echo", call -> call.send(200, json("{}"))))) {
            assertEquals(404, served.get("/nothing").statusCode());
            assertEquals("there is nothing at this path.", message(served.get("/nothing")));
            HttpResponse<String> method = served.send(served.request("/echo").DELETE());
            assertEquals(405, method.statusCode());
            assertEquals("GET, POST", method.headers().firstValue("allow").orElseThrow());
            assertEquals("DELETE is not for this path; use GET or POST.", message(method));
            HttpResponse<String> type = served.send(served.request("/echo")
                    .header("content-type", "text/plain")
                    .POST(HttpRequest.BodyPublishers.ofString("{}")));
            assertEquals(415, type.statusCode());
            assertEquals(
                    "the content type is 'text/plain', expected application/json; curl sends it with --json.",
                    message(type));
            assertEquals(
                    200,
                    served.send(served.request("/echo").POST(HttpRequest.BodyPublishers.ofString("{}")))
                            .statusCode());
            HttpResponse<String> packed = served.send(served.request("/echo")
                    .header("content-encoding", "gzip")
                    .POST(HttpRequest.BodyPublishers.ofString("{}")));
            assertEquals(415, packed.statusCode());
            String large = "{\"a\": \"%s\"}".formatted("x".repeat(1000));
            HttpResponse<String> tooLarge = served.post("/echo", large);
            assertEquals(413, tooLarge.statusCode());
            assertEquals("the body is larger than 1,000 bytes, which this server takes.", message(tooLarge));
            HttpResponse<String> chunked = served.send(served.request("/echo")
                    .POST(HttpRequest.BodyPublishers.fromPublisher(HttpRequest.BodyPublishers.ofString(large))));
            assertEquals(413, chunked.statusCode());
            assertEquals(400, served.post("/echo", "{").statusCode());
            for (String line : new String[] {
                "GET /%zz HTTP/1.1\r\nHost: localhost",
                "G\u0000T / HTTP/1.1\r\nHost: localhost",
                "nonsense",
                "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5",
                "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nContent-Length: 6",
                "GET / HTTP/1.1\r\nHost: localhost\r\nno colon here"
            }) {
                assertStatus(400, served, line);
            }
            assertStatus(414, served, "GET /" + "x".repeat(20_000) + " HTTP/1.1\r\nHost: localhost");
            assertStatus(431, served, "GET / HTTP/1.1\r\nHost: localhost\r\na: " + "x".repeat(70_000));
        }
    }

    private static void assertStatus(int status, Served served, String head) throws IOException {
        try (Socket socket = served.socket()) {
            Served.write(socket, head + "\r\n\r\n");
            String answer = Served.readTo(socket, "}}");
            assertTrue(answer.matches("(?s)HTTP/1\\.[01] %d .*".formatted(status)), head + ": " + answer);
        }
    }

    @Test
    void nobodyWaitsForSlowBodies() throws IOException {
        try (Served served =
                        Served.of(options -> options.withLimits(options.limits().withBody(SHORT)), ECHO);
                Socket socket = served.socket()) {
            Served.write(socket, "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{");
            String answer = Served.readAll(socket);
            assertTrue(answer.startsWith("HTTP/1.1 408 "), answer);
            assertTrue(answer.contains("the body did not arrive within 0.2 s."), answer);
        }
    }

    @Test
    void nobodyWaitsForSlowHeads() throws IOException {
        try (Served served =
                        Served.of(options -> options.withLimits(options.limits().withIdle(SHORT)), ECHO);
                Socket socket = served.socket()) {
            Served.write(socket, "POST /echo HTTP/1.1\r\nHo");
            assertEquals("", Served.readAll(socket));
        }
    }

    @Test
    void requestsOnOneConnectionAreAnsweredInTurn() throws IOException {
        try (Served served = Served.of(ECHO);
                Socket socket = served.socket()) {
            StringBuilder requests = new StringBuilder();
            for (int i = 0; i < 20; i++) {
                String body = "{\"n\":%d}".formatted(i);
                requests.append("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s"
                        .formatted(body.length(), body));
            }
            Served.write(socket, requests.toString());
            for (int i = 0; i < 20; i++) {
                String end = "{\"n\":%d}".formatted(i);
                String answer = Served.readTo(socket, end);
                assertTrue(answer.startsWith("HTTP/1.1 200 ") && answer.endsWith("\r\n\r\n" + end), answer);
            }
            Served.write(
                    socket,
                    "POST /echo HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n");
            assertEquals("HTTP/1.1 100 Continue\r\n\r\n", Served.readTo(socket, "\r\n\r\n"));
            Served.write(socket, "{}");
            assertTrue(Served.readTo(socket, "{}").startsWith("HTTP/1.1 200 "));
        }
    }

    @Test
    void draining() throws Exception {
        CountDownLatch begun = new CountDownLatch(2);
        CountDownLatch gone = new CountDownLatch(2);
        Endpoint endless = Served.post("/endless", call -> {
            call.whenGone(gone::countDown);
            call.events().send("begun");
            begun.countDown();
            await(gone);
        });
        Endpoint whole = Served.post("/whole", call -> {
            call.whenGone(gone::countDown);
            begun.countDown();
            await(gone);
        });
        Endpoint health = Served.get("/health", call -> call.send(200, json("{}")));
        try (Served served = Served.of(endless, whole, health)) {
            var stream = served.client.sendAsync(
                    served.request("/endless")
                            .POST(HttpRequest.BodyPublishers.noBody())
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            var answer = served.client.sendAsync(
                    served.request("/whole")
                            .POST(HttpRequest.BodyPublishers.noBody())
                            .build(),
                    HttpResponse.BodyHandlers.ofString());
            await(begun);
            Thread drain = Thread.ofVirtual().start(() -> served.transport.drain(Duration.ofMillis(500)));
            while (!served.draining.get()) {
                Thread.onSpinWait();
            }
            HttpResponse<String> refused = served.post("/whole", "{}");
            assertEquals(503, refused.statusCode());
            assertEquals("the server is shutting down.", message(refused));
            assertEquals(200, served.get("/health").statusCode());
            String events = stream.get().body();
            assertTrue(events.startsWith("data: begun\n\ndata: {\"error\":"), events);
            assertTrue(events.contains("\"code\":\"shutting_down\""), events);
            assertEquals(503, answer.get().statusCode());
            await(gone);
            drain.join();
        }
    }

    @Test
    void theLogHasALineARequestAndPromptsWhereAsked() throws Exception {
        Semaphore begun = new Semaphore(0);
        Endpoint waits = Served.post("/waits", call -> {
            CountDownLatch gone = new CountDownLatch(1);
            call.whenGone(gone::countDown);
            begun.release();
            await(gone);
        });
        Map<Server.Log, Set<String>> lines = Map.of(
                Server.Log.FAILURES, Set.of(),
                Server.Log.REQUESTS,
                        Set.of("ID POST /echo: 200 in N", "ID GET /none%0Ax: 404", "ID POST /waits: 0 in N, gone"),
                Server.Log.PROMPTS,
                        Set.of(
                                "ID asks {\"secret\":1}",
                                "ID POST /echo: 200 in N",
                                "ID GET /none%0Ax: 404",
                                "ID POST /waits: 0 in N, gone"));
        for (Server.Log log : Server.Log.values()) {
            Set<String> expected = Objects.requireNonNull(lines.get(log));
            try (Served served = Served.of(options -> options.withLog(log), ECHO, waits)) {
                served.post("/echo", "{\"secret\":1}");
                served.get("/none%0Ax");
                try (Socket socket = served.socket()) {
                    Served.write(socket, "POST /waits HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
                    assertTrue(begun.tryAcquire(LONG_SECONDS, TimeUnit.SECONDS));
                }
                while (served.said.lines().size() < expected.size()) {
                    Thread.onSpinWait();
                }
                assertEquals(
                        expected,
                        served.said.lines().stream()
                                .map(line -> line.replaceAll("req_[0-9a-f]{16}", "ID")
                                        .replaceAll("\\d+\\.\\d{3} s", "N"))
                                .collect(Collectors.toSet()));
            }
        }
    }

    @Test
    void anAddressInUseIsRefused() {
        try (Served served = Served.of(ECHO)) {
            BadInput refused = assertThrows(
                    BadInput.class, () -> Served.of(options -> options.withPort(served.transport.port()), ECHO));
            assertTrue(
                    String.valueOf(refused.getMessage())
                            .startsWith(
                                    "nothing can listen at 127.0.0.1, port %d: ".formatted(served.transport.port())),
                    refused.getMessage());
        }
    }
}
