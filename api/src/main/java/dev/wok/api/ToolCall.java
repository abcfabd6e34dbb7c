package dev.wok.api;

import java.util.LinkedHashMap;
import java.util.Map;

/// A call of a tool that a model asks for.
///
/// @param id names the call in the conversation; the tool's message refers to it
/// @param name of the tool
/// @param arguments a JSON object as text
public record ToolCall(String id, String name, String arguments) {
    /// @param textArguments whether arguments are text, otherwise an object
    /// @return this as chat templates take it
    /// @throws dev.wok.notice.BadInput where arguments are no JSON object
    Map<String, Object> fields(boolean textArguments) {
        String json = arguments.isBlank() ? "{}" : arguments;
        Map<String, Object> function = new LinkedHashMap<>();
        function.put("name", name);
        function.put("arguments", textArguments ? json : Json.members(json, "the arguments of a call of " + name));
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("id", id);
        fields.put("type", "function");
        fields.put("function", function);
        return fields;
    }
}
