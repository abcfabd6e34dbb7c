package dev.wok.serve;

import dev.wok.api.Answer;
import dev.wok.api.ChatOptions;
import dev.wok.api.Message;
import dev.wok.api.Tool;
import dev.wok.api.ToolCall;
import dev.wok.api.ToolChoice;
import dev.wok.generate.Constraint;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.JsonNodeFactory;

/// Requests in the form of Anthropic's messages, as conversations.
final class AnthropicRequest {
    private static final Set<String> ROLES = Set.of("user", "assistant", "system");
    private static final Set<String> TEXT = Set.of("text");
    private static final JsonNode ALL = JsonNodeFactory.instance.stringNode("all");

    private AnthropicRequest() {}

    static ChatRequest read(Fields fields, Models.Named model) {
        Unsupported.refuse(fields);
        for (String elsewhere : List.of("mcp_servers", "container")) {
            if (fields.any(elsewhere).filter(value -> !value.isEmpty()).isPresent()) {
                throw Unsupported.refusal(elsewhere, "leave it out");
            }
        }
        requireWholeContext(fields);
        List<Message> messages = messages(fields);
        ChatOptions options = thinking(fields, model).withAnswer(answer(fields, model));
        options = tools(fields, options);
        Message last = messages.getLast();
        boolean continues = last.role().equals("assistant") && last.toolCalls().isEmpty();
        return new ChatRequest(model, messages, options.withContinuesLast(continues), 1);
    }

    /// Nothing is cleared out of conversations. Clients send the edit that keeps all thoughts as a rule,
    /// and it asks for nothing else.
    private static void requireWholeContext(Fields fields) {
        Optional<Fields> management = fields.object("context_management");
        for (Fields edit : management.map(given -> given.objects("edits")).orElse(List.of())) {
            boolean keepsAll = edit.requireText("type").equals("clear_thinking_20251015")
                    && edit.any("keep").filter(ALL::equals).isPresent();
            if (!keepsAll) {
                throw Unsupported.refusal(edit.path("type"), "nothing is cleared; leave context_management out");
            }
        }
    }

    private static Answer.Options answer(Fields fields, Models.Named model) {
        Answer.Options answer = Generating.options(fields, model)
                .withStops(Generating.stops(fields, "stop_sequences").toArray(String[]::new));
        for (Fields holder : outputs(fields)) {
            Optional<Constraint> form = ToolFields.form(holder, holder.has("format") ? "format" : "output_format", "");
            answer = form.isPresent() ? answer.withConstraint(form.get()) : answer;
        }
        return answer;
    }

    /// @return what may say how the answer is written
    private static List<Fields> outputs(Fields fields) {
        List<Fields> outputs = new ArrayList<>(List.of(fields));
        fields.object("output_config").ifPresent(outputs::add);
        return outputs;
    }

    /// In this API thoughts are off where nothing is said of them.
    private static ChatOptions thinking(Fields fields, Models.Named model) {
        ChatOptions options = ChatOptions.defaults().withThinking(model.thinks().orElse(false));
        options = Thinking.type(fields, options);
        Optional<Fields> output = fields.object("output_config");
        return output.isPresent() ? Thinking.effort(output.get(), "effort", options) : options;
    }

    private static List<Message> messages(Fields fields) {
        List<Message> messages = new ArrayList<>();
        text(fields, "system").filter(text -> !text.isEmpty()).ifPresent(text -> messages.add(Message.system(text)));
        List<Fields> given = fields.objects("messages");
        if (given.isEmpty()) {
            throw Refusal.badField("messages", "messages is missing or empty, expected a list of one message or more.");
        }
        for (Fields message : given) {
            String role = message.word("role", ROLES).orElseThrow(() -> message.missing("role", Fields.oneOf(ROLES)));
            if (!message.has("content")) {
                throw message.missing("content", "text or a list of blocks");
            }
            switch (role) {
                case "assistant" -> messages.add(assistant(message));
                case "user" -> user(message, messages);
                default -> messages.add(Message.system(text(message, "content").orElse("")));
            }
        }
        return messages;
    }

    /// @param name of a field that is text or a list of blocks of text
    private static Optional<String> text(Fields fields, String name) {
        Optional<JsonNode> given = fields.any(name);
        if (given.isPresent() && given.get().isArray()) {
            return Optional.of(ChatMessages.parts(fields, name, TEXT));
        }
        return fields.text(name);
    }

    private static Message assistant(Fields message) {
        if (!message.any("content").orElseThrow().isArray()) {
            return Message.assistant(message.requireText("content"));
        }
        List<String> texts = new ArrayList<>();
        List<String> thoughts = new ArrayList<>();
        List<ToolCall> calls = new ArrayList<>();
        for (Fields block : message.objects("content")) {
            switch (block.requireText("type")) {
                case "text" -> texts.add(block.requireText("text"));
                case "thinking" -> thoughts.add(block.requireText("thinking"));
                case "redacted_thinking" -> {}
                case "tool_use" ->
                    calls.add(new ToolCall(
                            block.requireText("id"),
                            block.requireText("name"),
                            ChatMessages.arguments(block, "input")));
                default -> throw unknown(block);
            }
        }
        Message said = Message.assistant(String.join("\n", texts)).withToolCalls(calls);
        String thought = String.join("\n", thoughts);
        return thought.isEmpty() ? said : said.withReasoning(thought);
    }

    /// What tools answered are messages of their own.
    private static void user(Fields message, List<Message> messages) {
        if (!message.any("content").orElseThrow().isArray()) {
            messages.add(Message.user(message.requireText("content")));
            return;
        }
        List<String> texts = new ArrayList<>();
        for (Fields block : message.objects("content")) {
            switch (block.requireText("type")) {
                case "text" -> texts.add(block.requireText("text"));
                case "tool_result" -> {
                    say(texts, messages);
                    messages.add(Message.tool(
                            block.requireText("tool_use_id"),
                            text(block, "content").orElse("")));
                }
                default -> throw unknown(block);
            }
        }
        say(texts, messages);
    }

    private static void say(List<String> texts, List<Message> messages) {
        if (!texts.isEmpty()) {
            messages.add(Message.user(texts.stream().collect(Collectors.joining("\n"))));
            texts.clear();
        }
    }

    private static Refusal unknown(Fields block) {
        return Unsupported.refusal(
                block.path("type"), "it is \"%s\", messages are text".formatted(block.requireText("type")));
    }

    private static ChatOptions tools(Fields fields, ChatOptions options) {
        List<Tool> tools = new ArrayList<>();
        for (Fields tool : fields.objects("tools")) {
            String type = tool.text("type").orElse("custom");
            if (!type.equals("custom")) {
                throw Unsupported.refusal(
                        tool.path("type"), "it is \"%s\", tools are the client's own".formatted(type));
            }
            tools.add(ToolFields.tool(tool, "input_schema"));
        }
        ToolFields.requireDistinct(tools, fields);
        Optional<Fields> choice = fields.object("tool_choice");
        if (choice.isEmpty()) {
            return ToolFields.with(options, tools, new ToolChoice.Auto());
        }
        return ToolFields.with(options, tools, choice(choice.get()))
                .withParallelToolCalls(!choice.get().flag("disable_parallel_tool_use", false));
    }

    private static ToolChoice choice(Fields choice) {
        return switch (choice.requireText("type")) {
            case "auto" -> new ToolChoice.Auto();
            case "none" -> new ToolChoice.None();
            case "any" -> new ToolChoice.Required();
            case "tool" -> new ToolChoice.Named(choice.requireText("name"));
            default -> throw choice.wrong("type", "auto, any, tool or none");
        };
    }
}
