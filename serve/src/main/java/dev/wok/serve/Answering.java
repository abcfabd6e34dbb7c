package dev.wok.serve;

import io.vertx.core.buffer.Buffer;
import io.vertx.core.http.HttpServerRequest;
import io.vertx.core.http.HttpServerResponse;
import io.vertx.core.http.HttpVersion;
import java.nio.charset.StandardCharsets;
import org.jspecify.annotations.Nullable;
import tools.jackson.databind.JsonNode;

/// Writes answers. On the event loop alone.
final class Answering {
    static final String JSON = "application/json";

    private Answering() {}

    static byte[] bytes(JsonNode json) {
        return json.toString().getBytes(StandardCharsets.UTF_8);
    }

    /// @param refusal that the answer is, if it is one
    static void send(
            HttpServerResponse response, int status, String contentType, byte[] body, @Nullable Refusal refusal) {
        if (response.closed() || response.ended()) {
            return;
        }
        response.setStatusCode(status).putHeader("content-type", contentType);
        if (refusal != null) {
            refusal.retrySeconds().ifPresent(seconds -> response.putHeader("retry-after", Integer.toString(seconds)));
        }
        var _ = response.end(Buffer.buffer(body));
    }

    static void beginEvents(HttpServerRequest request) {
        HttpServerResponse response = request.response();
        response.putHeader("content-type", "text/event-stream; charset=utf-8")
                .putHeader("cache-control", "no-cache")
                .putHeader("x-accel-buffering", "no")
                .setChunked(true);
        if (request.version() == HttpVersion.HTTP_1_0) {
            // Which knows no chunks, and is sent none: the end of the connection is the end of the answer.
            response.putHeader("connection", "close");
        }
    }
}
