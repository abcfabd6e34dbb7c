package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.api.Model;
import dev.wok.parrot.Family;
import dev.wok.parrot.Parrot;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/// Models behind a server, as the bytes that clients read.
class WireTest {
    private static Model model;
    private static Server server;
    private static HttpClient client;

    @BeforeAll
    static void start() {
        model = Model.load(Parrot.usual(Family.DEEPSEEK));
        server = Server.start(Server.Options.defaults().withPort(0).withModel("parrot", model));
        client = HttpClient.newHttpClient();
    }

    @AfterAll
    static void stop() {
        client.close();
        server.close();
        model.close();
    }

    private static HttpRequest post(String path, String body) {
        return HttpRequest.newBuilder(URI.create("http://127.0.0.1:%d%s".formatted(server.port(), path)))
                .header("content-type", "application/json")
                .timeout(Duration.ofMinutes(1))
                .POST(HttpRequest.BodyPublishers.ofString(body.replace('\'', '"')))
                .build();
    }

    private static HttpResponse<String> answer(String path, String body) throws IOException, InterruptedException {
        return client.send(post(path, body), HttpResponse.BodyHandlers.ofString());
    }

    @Test
    void aStreamIsOfEventsWithData() throws Exception {
        HttpResponse<String> response = answer(
                "/chat/completions",
                "{'model': 'deepseek-chat', 'stream': true, 'temperature': 0, 'messages': [{'role': 'user', 'content':"
                        + " 'Who are you?'}]}");
        assertEquals(200, response.statusCode());
        assertTrue(response.headers().firstValue("content-type").orElse("").startsWith("text/event-stream"));
        List<String> events = List.of(response.body().split("\n\n"));
        assertTrue(events.stream().allMatch(event -> event.startsWith("data: ") || event.startsWith(":")));
        assertEquals("data: [DONE]", events.getLast());
        assertTrue(response.body().contains("\"delta\":{\"content\":\""), response.body());
    }

    @Test
    void errorsHaveTheFormOfTheirApi() throws Exception {
        HttpResponse<String> openAi = answer("/v1/chat/completions", "{'messages': 5}");
        assertEquals(400, openAi.statusCode());
        assertEquals(
                "{\"error\":{\"message\":\"messages is 5, expected a list.\",\"type\":\"invalid_request_error\","
                        + "\"param\":\"messages\",\"code\":null}}",
                openAi.body());
        HttpResponse<String> anthropic = answer("/v1/messages", "{'messages': 5}");
        assertEquals(400, anthropic.statusCode());
        assertEquals(
                "{\"type\":\"error\",\"error\":{\"type\":\"invalid_request_error\","
                        + "\"message\":\"messages is 5, expected a list.\"}}",
                anthropic.body());
        HttpResponse<String> unknown = answer("/v1/completions", "{'model': 'gpt-4', 'prompt': 'a'}");
        assertEquals(404, unknown.statusCode());
        assertTrue(unknown.body().contains("\"code\":\"model_not_found\""), unknown.body());
    }

    @Test
    @Timeout(60)
    void generationEndsWhereTheClientGoes() throws Exception {
        HttpRequest request = post(
                "/v1/chat/completions",
                "{'stream': true, 'temperature': 0, 'messages': [{'role': 'user', 'content': 'Sing!'}]}");
        HttpResponse<InputStream> response = client.send(request, HttpResponse.BodyHandlers.ofInputStream());
        try (InputStream body = response.body()) {
            assertEquals(400, body.readNBytes(400).length);
        }
        while (model.activity().running() + model.activity().waiting() > 0) {
            Thread.sleep(5);
        }
        assertEquals(0, model.activity().usedPages());
    }
}
