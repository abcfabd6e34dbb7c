package dev.wok.serve;

import java.time.Instant;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// What all pieces of an answer say alike.
///
/// @param id of the answer
/// @param created in seconds since 1970
/// @param model its name
/// @param fingerprint changes where another model is served under the same name
record Stamp(String id, long created, String model, String fingerprint) {
    /// @param prefix of the id
    static Stamp fresh(String prefix, Models.Named model) {
        return new Stamp(
                RequestIds.fresh(prefix),
                Instant.now().getEpochSecond(),
                model.name(),
                "fp_%016x".formatted(31L * model.name().hashCode() + model.created()));
    }

    /// @param kind such as `chat.completion`
    ObjectNode object(String kind) {
        return JsonNodeFactory.instance
                .objectNode()
                .put("id", id)
                .put("object", kind)
                .put("created", created)
                .put("model", model)
                .put("system_fingerprint", fingerprint);
    }
}
