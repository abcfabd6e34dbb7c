package dev.wok.serve;

import dev.wok.api.ChatOptions;
import dev.wok.api.Tool;
import dev.wok.api.ToolChoice;
import dev.wok.generate.Constraint;
import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/// The tools and forms of answers that requests declare.
final class ToolFields {
    private static final int MOST_TOOLS = 128;
    private static final Pattern NAME = Pattern.compile("[a-zA-Z0-9_.-]{1,64}");
    private static final Set<String> FUNCTION = Set.of("function");
    private static final String NO_PARAMETERS = "{\"type\":\"object\",\"properties\":{}}";
    private static final String ANY_OBJECT = "{\"type\":\"object\"}";

    private ToolFields() {}

    /// @param options without tools
    /// @return those with the tools of a request for a chat completion
    static ChatOptions chat(Fields request, ChatOptions options) {
        List<Tool> tools = new ArrayList<>();
        for (Fields tool : request.objects("tools")) {
            requireFunction(tool);
            tools.add(tool(tool.requireObject("function"), "parameters"));
        }
        requireDistinct(tools, request);
        return with(options, tools, choice(request, "function"))
                .withParallelToolCalls(request.flag("parallel_tool_calls", true));
    }

    static void requireFunction(Fields tool) {
        String type = tool.requireText("type");
        if (!FUNCTION.contains(type)) {
            throw Unsupported.refusal(tool.path("type"), "it is \"%s\", expected a function".formatted(type));
        }
    }

    /// @param schema the name of the field with the schema of arguments
    static Tool tool(Fields function, String schema) {
        String name = function.requireText("name");
        if (!NAME.matcher(name).matches()) {
            throw function.wrong("name", "1 to 64 letters, digits, _, - and .");
        }
        String parameters = function.object(schema)
                .map(_ -> function.any(schema).orElseThrow().toString())
                .orElse(NO_PARAMETERS);
        boolean strict = function.flag("strict", false);
        return new Tool(name, function.text("description").orElse(""), parameters, strict);
    }

    static void requireDistinct(List<Tool> tools, Fields request) {
        if (tools.size() > MOST_TOOLS) {
            throw request.wrong("tools", MOST_TOOLS + " tools at most");
        }
        Set<String> names = new HashSet<>();
        for (Tool tool : tools) {
            if (!names.add(tool.name())) {
                throw Refusal.badField("tools", "tools has %s twice, expected each name once.".formatted(tool.name()));
            }
        }
    }

    /// @param inner the object that holds a named tool's name; empty where the choice itself does
    static ToolChoice choice(Fields request, String inner) {
        Optional<JsonNode> given = request.any("tool_choice");
        if (given.isEmpty()) {
            return new ToolChoice.Auto();
        }
        if (given.get().isString()) {
            return switch (given.get().stringValue()) {
                case "auto" -> new ToolChoice.Auto();
                case "none" -> new ToolChoice.None();
                case "required" -> new ToolChoice.Required();
                default -> throw request.wrong("tool_choice", "auto, none, required or a function");
            };
        }
        Fields choice = request.object("tool_choice").orElseThrow();
        requireFunction(choice);
        return new ToolChoice.Named((inner.isEmpty() ? choice : choice.requireObject(inner)).requireText("name"));
    }

    /// @throws Refusal where the choice does not fit the tools
    static ChatOptions with(ChatOptions options, List<Tool> tools, ToolChoice choice) {
        switch (choice) {
            case ToolChoice.Auto _, ToolChoice.None _ -> {}
            case ToolChoice.Required _ -> {
                if (tools.isEmpty()) {
                    throw Refusal.badField("tool_choice", "tool_choice asks for a call, but tools is empty.");
                }
            }
            case ToolChoice.Named named -> {
                if (tools.stream().noneMatch(tool -> tool.name().equals(named.tool()))) {
                    throw Refusal.badField(
                            "tool_choice",
                            "tool_choice names \"%s\", which is not among the tools.".formatted(named.tool()));
                }
            }
        }
        return options.withTools(tools).withToolChoice(choice);
    }

    /// @param name of a field that holds the form of the answer: `text`, `json_object` or `json_schema`
    /// @param inner the object that holds the schema; empty where the form itself does
    static Optional<Constraint> form(Fields request, String name, String inner) {
        Optional<Fields> given = request.object(name);
        if (given.isEmpty()) {
            return Optional.empty();
        }
        Fields form = given.get();
        return switch (form.requireText("type")) {
            case "text" -> Optional.empty();
            case "json_object" -> Optional.of(Constraint.schema(ANY_OBJECT));
            case "json_schema" ->
                Optional.of(schema(inner.isEmpty() ? form : form.requireObject(inner), request.path(name)));
            default -> throw form.wrong("type", "text, json_object or json_schema");
        };
    }

    private static Constraint schema(Fields holder, String param) {
        holder.flag("strict");
        holder.requireObject("schema");
        try {
            return Constraint.schema(holder.any("schema").orElseThrow().toString());
        } catch (BadInput e) {
            throw Refusal.badField(param, "%s: %s".formatted(holder.path("schema"), e.getMessage()));
        }
    }
}
