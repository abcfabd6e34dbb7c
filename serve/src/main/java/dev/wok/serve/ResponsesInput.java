package dev.wok.serve;

import dev.wok.api.Message;
import dev.wok.api.ToolCall;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import tools.jackson.databind.JsonNode;

/// The items of a request for a response as messages of a conversation. An assistant's thoughts, words
/// and calls, which are items of their own, become one message.
final class ResponsesInput {
    private static final Set<String> ROLES = Set.of("user", "assistant", "system", "developer");
    private static final Set<String> TEXTS = Set.of("input_text", "output_text", "text", "refusal");
    private static final Set<String> THOUGHTS = Set.of("reasoning_text", "summary_text", "text");

    private final List<Message> messages = new ArrayList<>();
    private final List<ToolCall> calls = new ArrayList<>();
    private Optional<String> thoughts = Optional.empty();
    private Optional<String> words = Optional.empty();

    private ResponsesInput() {}

    /// @return the fields `instructions` and `input`
    static List<Message> read(Fields request) {
        ResponsesInput input = new ResponsesInput();
        request.text("instructions").ifPresent(text -> input.messages.add(Message.system(text)));
        JsonNode given = request.any("input").orElseThrow(() -> request.missing("input", "text or a list of items"));
        if (given.isString()) {
            input.messages.add(Message.user(request.requireText("input")));
        } else {
            request.objects("input").forEach(input::item);
            input.endTurn();
        }
        if (input.messages.isEmpty()) {
            throw request.wrong("input", "one item or more");
        }
        return input.messages;
    }

    private void item(Fields item) {
        String type = item.text("type").orElse("message");
        switch (type) {
            case "message" -> message(item);
            case "reasoning" -> {
                endTurn();
                thoughts = Optional.of(thoughts(item)).filter(text -> !text.isEmpty());
            }
            case "function_call" ->
                calls.add(new ToolCall(
                        item.requireText("call_id"),
                        item.requireText("name"),
                        ChatMessages.arguments(item, "arguments")));
            case "function_call_output" -> {
                endTurn();
                messages.add(Message.tool(item.requireText("call_id"), text(item, "output")));
            }
            case "item_reference" ->
                throw Unsupported.refusal(item.path("type"), "nothing is stored; send the items themselves");
            default -> throw Unsupported.refusal(item.path("type"), "it is \"%s\"".formatted(type));
        }
    }

    private void message(Fields item) {
        String role = item.word("role", ROLES).orElseThrow(() -> item.missing("role", Fields.oneOf(ROLES)));
        if (role.equals("assistant")) {
            if (words.isPresent() || !calls.isEmpty()) {
                endTurn();
            }
            words = Optional.of(text(item, "content"));
        } else {
            endTurn();
            messages.add(new Message(role.equals("developer") ? "system" : role, text(item, "content")));
        }
    }

    private static String text(Fields item, String name) {
        JsonNode given = item.any(name).orElseThrow(() -> item.missing(name, "text or a list of parts"));
        return given.isArray() ? ChatMessages.parts(item, name, TEXTS) : item.requireText(name);
    }

    private static String thoughts(Fields item) {
        String whole = ChatMessages.parts(item, "content", THOUGHTS);
        return whole.isEmpty() ? ChatMessages.parts(item, "summary", THOUGHTS) : whole;
    }

    private void endTurn() {
        if (words.isPresent() || thoughts.isPresent() || !calls.isEmpty()) {
            Message said = Message.assistant(words.orElse("")).withToolCalls(calls);
            messages.add(thoughts.map(said::withReasoning).orElse(said));
        }
        words = Optional.empty();
        thoughts = Optional.empty();
        calls.clear();
    }
}
