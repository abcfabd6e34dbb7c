package dev.wok.api;

import dev.wok.notice.BadInput;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.regex.Pattern;

/// A tool that a model may ask for.
///
/// @param name what calls refer to: letters, digits, `_`, `-` and `.`, at most 64
/// @param description what it is for; may be empty
/// @param parameters a JSON schema of an object as text; arguments of calls are held to it
/// @param strict whether a schema that arguments cannot be held to is refused; where this is not said,
///     and no call is required, such arguments are any object
public record Tool(String name, String description, String parameters, boolean strict) {
    private static final String OBJECT = "object";
    private static final Pattern NAME = Pattern.compile("[A-Za-z0-9_.-]{1,64}");

    public Tool {
        if (!NAME.matcher(name).matches()) {
            throw new BadInput("a tool is named '%s', expected 1 to 64 letters, digits, _, - and .".formatted(name));
        }
    }

    /// A tool that is not strict.
    public Tool(String name, String description, String parameters) {
        this(name, description, parameters, false);
    }

    /// @return the parameters, of which objects are the only values
    /// @throws BadInput where they are no JSON object, or allow no object
    String objectSchema() {
        Map<String, Object> schema = Json.members(parameters, "the parameters of tool " + name);
        Object type = schema.getOrDefault("type", OBJECT);
        if (!OBJECT.equals(type)) {
            throw new BadInput("the type is %s, expected object.".formatted(type));
        }
        schema.put("type", OBJECT);
        return Json.write(schema);
    }

    /// @return this as chat templates take it
    /// @throws BadInput where the parameters are no JSON object
    Map<String, Object> fields() {
        Map<String, Object> function = new LinkedHashMap<>();
        function.put("name", name);
        if (!description.isEmpty()) {
            function.put("description", description);
        }
        function.put("parameters", Json.members(parameters, "the parameters of tool " + name));
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("type", "function");
        fields.put("function", function);
        return fields;
    }
}
