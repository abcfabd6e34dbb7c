package dev.wok.serve;

import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// The forms of errors.
final class Errors {
    private Errors() {}

    /// `{"error": {"message", "type", "param", "code"}}`
    static JsonNode openAi(Refusal refusal) {
        ObjectNode root = JsonNodeFactory.instance.objectNode();
        root.putObject("error")
                .put("message", refusal.message())
                .put("type", refusal.type())
                .put("param", refusal.param())
                .put("code", refusal.code());
        return root;
    }

    /// `{"type": "error", "error": {"type", "message"}}`, where the type follows from the status.
    static JsonNode anthropic(Refusal refusal) {
        ObjectNode root = JsonNodeFactory.instance.objectNode().put("type", "error");
        root.putObject("error").put("type", anthropicType(refusal.status())).put("message", refusal.message());
        return root;
    }

    private static String anthropicType(int status) {
        return switch (status) {
            case 401 -> "authentication_error";
            case 403 -> "permission_error";
            case 404 -> "not_found_error";
            case 413 -> "request_too_large";
            case 429 -> "rate_limit_error";
            case 503 -> "overloaded_error";
            default -> status < 500 ? "invalid_request_error" : "api_error";
        };
    }
}
