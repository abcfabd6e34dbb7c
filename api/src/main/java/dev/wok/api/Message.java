package dev.wok.api;

import java.util.LinkedHashMap;
import java.util.Map;

/// A message of a conversation.
///
/// @param role `system`, `user` or `assistant`, or what else the model's chat template knows
/// @param content what was said
public record Message(String role, String content) {

    /// @return what the model is told before the conversation
    public static Message system(String content) {
        return new Message("system", content);
    }

    /// @return what the model is asked
    public static Message user(String content) {
        return new Message("user", content);
    }

    /// @return what the model answered
    public static Message assistant(String content) {
        return new Message("assistant", content);
    }

    /// @return this as chat templates take it
    Map<String, Object> fields() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("role", role);
        fields.put("content", content);
        return fields;
    }
}
