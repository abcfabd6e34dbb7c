package dev.wok.serve;

import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// `GET /v1/models`: which models there are, loaded or not.
final class ModelList implements Route {
    @Override
    public void answer(Call call) {
        ObjectNode root = JsonNodeFactory.instance.objectNode().put("object", "list");
        ArrayNode data = root.putArray("data");
        for (String name : call.models().names()) {
            data.add(described(call.models(), name));
        }
        call.send(200, root);
    }

    /// @param name of a model or its alias
    static ObjectNode described(Models models, String name) {
        Models.Listed listed = models.listed(name);
        return JsonNodeFactory.instance
                .objectNode()
                .put("id", listed.name())
                .put("object", "model")
                .put("created", listed.created())
                .put("owned_by", "wok");
    }
}
