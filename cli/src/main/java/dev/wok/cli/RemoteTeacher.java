package dev.wok.cli;

import dev.wok.notice.BadInput;
import dev.wok.tune.Completion;
import dev.wok.tune.Teacher;
import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.SequencedMap;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import tools.jackson.databind.JsonNode;

/// A teacher behind a server that speaks OpenAI's chat completions. Where it is busy, fails for a
/// moment or cannot be reached, it is asked again, later each time.
final class RemoteTeacher implements Teacher, AutoCloseable {
    private static final Set<Integer> PASSING = Set.of(408, 409, 425, 429, 500, 502, 503, 504);
    private static final Set<Integer> REFUSED = Set.of(400, 413, 422);
    private static final long LARGEST_ANSWER = 64L << 20;
    private static final Duration LONGEST_WAIT = Duration.ofMinutes(5);
    private static final int LONGEST_QUOTE = 200;
    private static final String PATH = "/chat/completions";

    /// How it is asked.
    ///
    /// @param address of the API, such as `https://api.deepseek.com/v1`
    /// @param model by the server's name
    /// @param key sent as a bearer token; empty for none
    /// @param temperature of the draws
    /// @param maxTokens of an answer, at most
    /// @param atOnce questions
    /// @param timeout of one try
    /// @param tries of a question, at most
    /// @param pause before the second try, doubled before each further one
    record Settings(
            URI address,
            String model,
            Optional<String> key,
            double temperature,
            int maxTokens,
            int atOnce,
            Duration timeout,
            int tries,
            Duration pause) {}

    /// What came of a try.
    private sealed interface Outcome {
        record Answered(Completion completion) implements Outcome {}

        /// @param seconds after which the server wants to be asked again, where it says so
        record Passing(String why, OptionalLong seconds) implements Outcome {}
    }

    private final Settings settings;
    private final URI endpoint;
    private final HttpClient client;

    RemoteTeacher(Settings settings) {
        this.settings = settings;
        String address = settings.address.toString().replaceFirst("/+$", "");
        endpoint = URI.create(address.endsWith(PATH) ? address : address + PATH);
        // Some servers take an offer of HTTP/2 on a plain connection for an error.
        client = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(settings.timeout)
                .followRedirects(HttpClient.Redirect.NORMAL)
                .build();
    }

    /// @return whether a teacher's name is an address, not a folder
    static boolean isAddress(String name) {
        return name.startsWith("http://") || name.startsWith("https://");
    }

    /// @throws BadInput where it is none
    static URI address(String text) {
        try {
            URI address = new URI(text);
            if (address.getHost() != null) {
                return address;
            }
        } catch (URISyntaxException e) {
            throw new BadInput("--teacher %s is no address: %s.".formatted(text, e.getReason()), e);
        }
        throw new BadInput("--teacher %s is no address, expected such as http://localhost:8000/v1.".formatted(text));
    }

    @Override
    public String name() {
        return "%s at %s (temperature %s, %d tokens)"
                .formatted(settings.model, endpoint, settings.temperature, settings.maxTokens);
    }

    @Override
    public int atOnce() {
        return settings.atOnce;
    }

    @Override
    public Completion answer(String question, long seed) {
        HttpRequest request = request(question, seed);
        Duration pause = settings.pause;
        for (int tried = 1; ; tried++) {
            switch (ask(request)) {
                case Outcome.Answered(Completion completion) -> {
                    return completion;
                }
                case Outcome.Passing(String why, OptionalLong seconds) -> {
                    if (tried >= settings.tries) {
                        throw new BadInput(
                                "%s %s, %d times; go on later with the same command.".formatted(endpoint, why, tried));
                    }
                    pause(seconds.isPresent() ? Duration.ofSeconds(seconds.getAsLong()) : pause);
                    pause = pause.multipliedBy(2);
                }
            }
        }
    }

    private HttpRequest request(String question, long seed) {
        SequencedMap<String, Object> body = new LinkedHashMap<>();
        body.put("model", settings.model);
        body.put("messages", List.of(Map.of("role", "user", "content", question)));
        body.put("temperature", settings.temperature);
        body.put("max_tokens", settings.maxTokens);
        body.put("seed", seed & Integer.MAX_VALUE);
        HttpRequest.Builder request = HttpRequest.newBuilder(endpoint)
                .header("Content-Type", "application/json")
                .POST(BodyPublishers.ofString(Json.text(body)));
        settings.key.ifPresent(key -> request.header("Authorization", "Bearer " + key));
        return request.build();
    }

    private Outcome ask(HttpRequest request) {
        CompletableFuture<HttpResponse<String>> answer =
                client.sendAsync(request, BodyHandlers.limiting(BodyHandlers.ofString(), LARGEST_ANSWER));
        try {
            return read(answer.get(settings.timeout.toMillis(), TimeUnit.MILLISECONDS));
        } catch (TimeoutException e) {
            answer.cancel(true);
            return new Outcome.Passing(
                    "gave no answer within %s".formatted(Amounts.duration(settings.timeout.toMillis() / 1e3)),
                    OptionalLong.empty());
        } catch (ExecutionException e) {
            if (e.getCause() instanceof IOException failure) {
                return new Outcome.Passing("cannot be reached (%s)".formatted(said(failure)), OptionalLong.empty());
            }
            throw new IllegalStateException(e);
        } catch (InterruptedException e) {
            answer.cancel(true);
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting for the teacher", e);
        }
    }

    private static String said(IOException failure) {
        String message = failure.getMessage();
        return message == null ? failure.getClass().getSimpleName() : message;
    }

    private Outcome read(HttpResponse<String> response) {
        int status = response.statusCode();
        if (status == 200) {
            return new Outcome.Answered(completion(response.body()));
        }
        if (PASSING.contains(status)) {
            return new Outcome.Passing("answers with status %d".formatted(status), retryAfter(response));
        }
        String said = "%s answers with status %d: %s.".formatted(endpoint, status, quoted(response.body()));
        if (REFUSED.contains(status)) {
            throw new Refusal(said);
        }
        throw new BadInput(said);
    }

    private static OptionalLong retryAfter(HttpResponse<String> response) {
        return response.headers()
                .firstValue("Retry-After")
                .filter(value -> value.matches("\\d{1,6}"))
                .map(value -> OptionalLong.of(Long.parseLong(value)))
                .orElse(OptionalLong.empty());
    }

    /// @return what the model thought, where that comes apart, between tags, and what it said
    private Completion completion(String body) {
        String source = "what %s answers".formatted(endpoint);
        JsonNode root = Json.object(body, source);
        JsonNode choice = root.path("choices").path(0);
        JsonNode message = choice.path("message");
        JsonNode content = message.path("content");
        JsonNode thoughts = message.path("reasoning_content");
        boolean cut = choice.path("finish_reason").asString("").equals("length");
        if (!content.isString() && !thoughts.isString() && !(content.isNull() && cut)) {
            if (content.isNull()) {
                throw new Refusal("%s has no content: %s.".formatted(source, quoted(body)));
            }
            throw new BadInput("%s has no choices[0].message.content, expected a chat completion: %s."
                    .formatted(source, quoted(body)));
        }
        String said = content.isString() ? content.asString() : "";
        String text = thoughts.isString() && !thoughts.asString().isBlank()
                ? "<think>\n" + thoughts.asString().strip() + "\n</think>\n\n" + said
                : said;
        return new Completion(text, root.path("usage").path("completion_tokens").asInt(0), cut);
    }

    private static String quoted(String body) {
        String text = body.strip().replaceAll("\\s+", " ");
        return text.length() <= LONGEST_QUOTE ? text : text.substring(0, LONGEST_QUOTE) + " ...";
    }

    private static void pause(Duration time) {
        try {
            Thread.sleep(time.compareTo(LONGEST_WAIT) < 0 ? time : LONGEST_WAIT);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting for the teacher", e);
        }
    }

    @Override
    public void close() {
        client.shutdownNow();
    }
}
