package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.api.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.parrot.Family;
import dev.wok.parrot.Parrot;
import dev.wok.testkit.RecordingProgress;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/// Models behind the whole server, and its figures.
class ServedModelsTest {
    @TempDir
    Path folder;

    private final HttpClient client = HttpClient.newHttpClient();

    private HttpResponse<String> ask(Server server, String path, String body) throws IOException, InterruptedException {
        HttpRequest.Builder request =
                HttpRequest.newBuilder(URI.create("http://localhost:%d%s".formatted(server.port(), path)));
        return client.send(
                body.isEmpty()
                        ? request.build()
                        : request.POST(HttpRequest.BodyPublishers.ofString(body))
                                .build(),
                HttpResponse.BodyHandlers.ofString());
    }

    private static String complete(String model) {
        return "{\"model\": \"%s\", \"prompt\": \"x\", \"max_tokens\": 3}".formatted(model);
    }

    private static JsonNode json(HttpResponse<String> response) {
        return JsonMapper.shared().readTree(response.body());
    }

    @Test
    void clientsAreNotToldWhereModelsLie() {
        List<Server.Source> sources =
                List.of(new Server.Source.Stored("m", folder), new Server.Source.Stored("other", Path.of("template")));
        try (ServedModels models = new ServedModels(sources, Model.Options.defaults(), Progress.silent())) {
            assertEquals(
                    "the chat template of m/t.json refuses this.",
                    models.told("the chat template of %s refuses this.".formatted(folder.resolve("t.json"))));
        }
    }

    @Test
    void modelsAreFoundByNameAndLoadedWhenTheyAreAskedFor() throws IOException, InterruptedException {
        RecordingProgress said = new RecordingProgress();
        Server.Options options = Server.Options.defaults()
                .withPort(0)
                .withProgress(said)
                .withModel("parrot", Parrot.usual(Family.QWEN))
                .withModel("broken", folder.resolve("nowhere"));
        try (Server server = Server.start(options)) {
            assertEquals(
                    "[\"parrot\",\"broken\"]",
                    json(ask(server, "/v1/models", ""))
                            .findValues("id")
                            .toString()
                            .replace(" ", ""));
            assertEquals("[\"loaded\",\"idle\"]", states(server));
            for (String name : List.of("parrot", "", "deepseek-chat", "deepseek-reasoner")) {
                HttpResponse<String> answer = ask(server, "/v1/completions", complete(name));
                assertEquals(200, answer.statusCode(), answer.body());
            }
            HttpResponse<String> unknown = ask(server, "/v1/completions", complete("gpt-5"));
            assertEquals(404, unknown.statusCode());
            assertEquals(
                    "there is no model 'gpt-5'; this server has parrot, broken.",
                    json(unknown).get("error").get("message").asString());
            assertEquals(
                    "model_not_found", json(unknown).get("error").get("code").asString());
            for (int i = 1; i <= 2; i++) {
                HttpResponse<String> broken = ask(server, "/v1/completions", complete("broken"));
                assertEquals(503, broken.statusCode());
                assertEquals(
                        "the model broken could not be loaded; the server's log says why.",
                        json(broken).get("error").get("message").asString());
                List<String> lines = said.lines();
                assertEquals(i, lines.size(), lines.toString());
                assertTrue(
                        lines.getLast().startsWith("the model broken could not be loaded: ")
                                && lines.getLast().contains("nowhere"),
                        lines.toString());
            }
            assertEquals("[\"loaded\",\"failed\"]", states(server));
        }
    }

    private String states(Server server) throws IOException, InterruptedException {
        return json(ask(server, "/status.json", ""))
                .findValues("state")
                .toString()
                .replace(" ", "");
    }

    @Test
    @Timeout(60)
    void figuresTellWhatWasDone() throws IOException, InterruptedException {
        try (Model model = Model.load(Parrot.usual(Family.QWEN));
                Server server =
                        Server.start(Server.Options.defaults().withPort(0).withModel("parrot", model))) {
            assertEquals("{\"status\":\"ok\"}", ask(server, "/health", "").body());
            assertEquals(200, ask(server, "/v1/completions", complete("parrot")).statusCode());
            while (model.activity().running() > 0) {
                Thread.onSpinWait();
            }
            JsonNode status = json(ask(server, "/status.json", ""));
            assertEquals(0, status.at("/load/running").asInt());
            assertEquals(0, status.at("/load/waiting").asInt());
            assertEquals(64, status.at("/load/queue").asInt());
            assertEquals(2, status.at("/load/requests").asInt());
            assertEquals(model.activity().newTokens(), status.at("/tokens/out").asLong());
            assertTrue(status.at("/tokens/in").asLong() > 0);
            assertEquals(1, status.at("/latency/firstToken/count").asInt());
            assertEquals("parrot", status.at("/models/0/name").asString());
            assertEquals(
                    model.config().maxPositionEmbeddings(),
                    status.at("/models/0/context").asInt());
            assertEquals(0, status.at("/models/0/cache/used").asInt());
            String metrics = ask(server, "/metrics", "").body();
            for (String line : List.of(
                    "wok_requests_total{path=\"/v1/completions\",method=\"POST\",status=\"200\"} 1",
                    "wok_time_to_first_token_seconds_count 1",
                    "wok_texts 0",
                    "wok_new_tokens_total{model=\"parrot\"} %d"
                            .formatted(model.activity().newTokens()))) {
                assertTrue(metrics.contains(line + "\n"), line + "\nis not in\n" + metrics);
            }
            assertTrue(json(ask(server, "/experts.json", "")).get("models").isArray());
            server.drain(Duration.ofSeconds(5));
            assertEquals(1, model.generate("x").iterator().hasNext() ? 1 : 0, "a model that was lent is not closed");
        }
    }

    @Test
    void whatCannotStartIsRefused() {
        Server.Options options = Server.Options.defaults().withPort(0);
        assertEquals("there is no model to serve, expected one or more.", refusal(options));
        Path nowhere = folder.resolve("nowhere");
        assertTrue(refusal(options.withModel("a", nowhere)).contains(nowhere.toString()));
        assertEquals(
                "two models are called a; give one another name.",
                refusal(options.withModel("a", nowhere).withModel("a", nowhere)));
        assertEquals(
                "port 65536: expected 0 (any that is free) to 65535.",
                assertThrows(BadInput.class, () -> options.withPort(65_536)).getMessage());
        assertEquals(
                "the origin 'example.com': expected one such as https://example.com, or *.",
                assertThrows(BadInput.class, () -> options.withOrigins("example.com"))
                        .getMessage());
        Server.Limits limits = Server.Limits.defaults();
        assertEquals(
                "a queue of -1 texts is asked for, expected 0 or more.",
                assertThrows(BadInput.class, () -> limits.withQueue(-1)).getMessage());
        assertEquals(
                "requests of up to 0 bytes are asked for, expected 1 or more.",
                assertThrows(BadInput.class, () -> limits.withBodyBytes(0)).getMessage());
        assertEquals(
                "the time for an answer is PT0S, expected a millisecond or more.",
                assertThrows(BadInput.class, () -> limits.withAnswer(Duration.ZERO))
                        .getMessage());
    }

    private static String refusal(Server.Options options) {
        return String.valueOf(
                assertThrows(BadInput.class, () -> Server.start(options)).getMessage());
    }
}
