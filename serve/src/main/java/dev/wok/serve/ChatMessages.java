package dev.wok.serve;

import dev.wok.api.Message;
import dev.wok.api.ToolCall;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

/// The messages of a conversation in the form of OpenAI's chat completions, with DeepSeek's
/// `reasoning_content` and `prefix`.
final class ChatMessages {
    private static final Set<String> ROLES = Set.of("system", "developer", "user", "assistant", "tool");
    private static final Set<String> TEXT_PARTS = Set.of("text", "refusal");
    private static final JsonMapper JSON = JsonMapper.shared();

    private ChatMessages() {}

    /// @return the field `messages`, one or more
    static List<Message> read(Fields request) {
        List<Fields> given = request.objects("messages");
        if (given.isEmpty()) {
            throw Refusal.badField("messages", "messages is missing or empty, expected a list of one message or more.");
        }
        return given.stream().map(ChatMessages::message).toList();
    }

    /// @return whether the last message is the beginning of the answer
    static boolean continuesLast(Fields request) {
        List<Fields> given = request.objects("messages");
        for (Fields message : given.subList(0, given.size() - 1)) {
            if (message.flag("prefix", false)) {
                throw message.wrong("prefix", "it in the last message alone");
            }
        }
        Fields last = given.getLast();
        boolean prefix = last.flag("prefix", false);
        boolean continues = prefix || request.flag("continue_final_message", false);
        if (continues && !last.requireText("role").equals("assistant")) {
            throw last.wrong("role", "\"assistant\" where the answer goes on with the message");
        }
        if (!continues && !request.flag("add_generation_prompt", true)) {
            throw Unsupported.refusal("add_generation_prompt", "use continue_final_message");
        }
        return continues;
    }

    private static Message message(Fields fields) {
        String role = fields.word("role", ROLES).orElseThrow(() -> fields.missing("role", Fields.oneOf(ROLES)));
        if (fields.has("function_call")) {
            throw Unsupported.refusal(fields.path("function_call"), "use tool_calls");
        }
        if (fields.has("audio")) {
            throw Unsupported.refusal(fields.path("audio"), "messages are text");
        }
        List<ToolCall> calls = role.equals("assistant") ? calls(fields) : List.of();
        Optional<String> reasoning = fields.firstOf("reasoning_content", "reasoning")
                .flatMap(fields::text)
                .filter(text -> !text.isEmpty());
        if (role.equals("tool") && !fields.has("tool_call_id")) {
            throw fields.missing("tool_call_id", "the id of the call that is answered");
        }
        boolean mayBeEmpty = role.equals("assistant") && (!calls.isEmpty() || reasoning.isPresent());
        return new Message(
                role.equals("developer") ? "system" : role,
                content(fields, mayBeEmpty),
                role.equals("assistant") ? reasoning : Optional.empty(),
                calls,
                fields.text("tool_call_id"),
                fields.text("name"));
    }

    private static String content(Fields message, boolean mayBeEmpty) {
        Optional<JsonNode> content = message.any("content");
        if (content.isEmpty()) {
            if (mayBeEmpty || message.has("refusal")) {
                return message.text("refusal").orElse("");
            }
            throw message.missing("content", "text or a list of parts");
        }
        if (!content.get().isString() && !content.get().isArray()) {
            throw message.wrong("content", "text or a list of parts");
        }
        return content.get().isArray() ? parts(message, "content", TEXT_PARTS) : message.requireText("content");
    }

    /// @param name of a list of parts, each with a type and its text
    /// @param types that are text
    /// @return the texts, each on a line of its own
    static String parts(Fields message, String name, Set<String> types) {
        return message.objects(name).stream()
                .map(part -> {
                    String type = part.text("type").orElse("text");
                    if (!types.contains(type)) {
                        throw Unsupported.refusal(part.path("type"), "it is \"%s\", messages are text".formatted(type));
                    }
                    return part.requireText(part.has("text") ? "text" : type.equals("refusal") ? type : "text");
                })
                .collect(Collectors.joining("\n"));
    }

    private static List<ToolCall> calls(Fields message) {
        List<ToolCall> calls = new ArrayList<>();
        for (Fields call : message.objects("tool_calls")) {
            call.word("type", Set.of("function"));
            Fields function = call.requireObject("function");
            calls.add(new ToolCall(
                    call.text("id").orElse(""), function.requireText("name"), arguments(function, "arguments")));
        }
        return calls;
    }

    /// @param name of a field with a JSON object, as text or as such
    /// @return it as text
    static String arguments(Fields fields, String name) {
        JsonNode given = fields.any(name).orElse(JSON.createObjectNode());
        if (given.isString() && given.stringValue().isBlank()) {
            return "{}";
        }
        try {
            JsonNode object = given.isString() ? JSON.readTree(given.stringValue()) : given;
            if (object instanceof ObjectNode) {
                return given.isString() ? given.stringValue() : given.toString();
            }
        } catch (JacksonException _) {
            // Refused below, as what is JSON of another kind.
        }
        throw fields.wrong(name, "a JSON object as text");
    }
}
