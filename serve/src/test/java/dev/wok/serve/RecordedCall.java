package dev.wok.serve;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// A call without a connection, which keeps what it is answered.
final class RecordedCall implements Call {
    private static final JsonMapper JSON = JsonMapper.shared();

    private final Models models;
    private final String path;
    private final ObjectNode body;
    private final List<Runnable> watchers = new ArrayList<>();

    /// What was sent, each as `data: JSON`, after `event: NAME` where it has a name.
    final List<String> events = new ArrayList<>();

    int places;
    int closed;
    int promptTokens;
    int newTokens;
    int status;
    boolean ended;
    private Optional<JsonNode> answer = Optional.empty();

    /// Is asked before each event.
    Runnable onEvent = () -> {};

    RecordedCall(Models models, String path, String body) {
        this.models = models;
        this.path = path;
        this.body = (ObjectNode) JSON.readTree(body.replace('\'', '"'));
    }

    static RecordedCall answered(Models models, String path, String body) {
        RecordedCall call = new RecordedCall(models, path, body);
        route(path).answer(call);
        return call;
    }

    static Route route(String path) {
        return Routes.all().stream()
                .filter(endpoint ->
                        endpoint.path().equals(path) || endpoint.takesId() && path.startsWith(endpoint.stem()))
                .findFirst()
                .orElseThrow()
                .route();
    }

    JsonNode answer() {
        return answer.orElseThrow();
    }

    /// @return the events' data but for the last, `[DONE]`
    List<JsonNode> chunks() {
        return events.stream()
                .filter(event -> !event.equals("data: [DONE]"))
                .map(event -> JSON.readTree(event.substring(event.indexOf("data: ") + "data: ".length())))
                .toList();
    }

    void leave() {
        List.copyOf(watchers).forEach(Runnable::run);
    }

    @Override
    public String method() {
        return "POST";
    }

    @Override
    public String path() {
        return path;
    }

    @Override
    public String id() {
        return path.substring(path.lastIndexOf('/') + 1);
    }

    @Override
    public Optional<String> header(String name) {
        return Optional.empty();
    }

    @Override
    public ObjectNode body() {
        return body;
    }

    @Override
    public Models models() {
        return models;
    }

    @Override
    public Duration deadline() {
        return Duration.ofMinutes(1);
    }

    @Override
    public Places places(int texts) {
        places += texts;
        return new Places() {
            private boolean free;

            @Override
            public void piece(int text) {}

            @Override
            public void used(int prompt, int fresh) {
                promptTokens += prompt;
                newTokens += fresh;
            }

            @Override
            public void close() {
                closed += free ? 0 : texts;
                free = true;
            }
        };
    }

    /// Whoever has the whole answer may ask again at once.
    private void requireFreePlaces() {
        if (places != closed) {
            throw new AssertionError("the answer is there before its places are free");
        }
    }

    @Override
    public void send(int code, JsonNode json) {
        requireFreePlaces();
        status = code;
        answer = Optional.of(json);
    }

    @Override
    public void send(int code, String contentType, byte[] bytes) {
        throw new AssertionError("routes send JSON");
    }

    @Override
    public void header(String name, String value) {}

    @Override
    public Events events() {
        return new Events() {
            @Override
            public void send(JsonNode json) {
                send("data: ", json.toString());
            }

            @Override
            public void send(String event, JsonNode json) {
                send("event: " + event + "\ndata: ", json.toString());
            }

            @Override
            public void send(String text) {
                send("data: ", text);
            }

            private void send(String head, String data) {
                if (ended) {
                    throw new AssertionError("an event after the end: " + data);
                }
                onEvent.run();
                events.add(head + data);
            }

            @Override
            public void end() {
                requireFreePlaces();
                ended = true;
            }
        };
    }

    @Override
    public void whenGone(Runnable what) {
        watchers.add(what);
    }
}
