package dev.wok.api;

import dev.wok.notice.BadInput;
import dev.wok.text.ChatTemplate;
import dev.wok.text.Tokenizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/// How conversations with a model are written. For any number of threads.
final class Conversations {
    private static final Set<String> OWN_VARIABLES =
            Set.of("messages", "tools", "add_generation_prompt", "continue_final_message");

    private final ChatTemplate template;
    private final Dialect dialect;
    private final ReplyForm form;
    private final CallForm callForm;

    /// Whether an answer begins with thoughts.
    enum Thinking {
        /// It begins amid them.
        BEGUN,
        /// It may, with a tag.
        POSSIBLE,
        /// It does not.
        NONE
    }

    /// A conversation as the model reads it.
    ///
    /// @param text special tokens included
    /// @param tools that may be called
    record Prompt(String text, Thinking thinking, List<Tool> tools) {}

    Conversations(Tokenizer tokenizer, ChatTemplate template) {
        this.template = template;
        dialect = Dialect.of(tokenizer, template);
        form = new ReplyForm(dialect, tokenizer);
        callForm = callForm(template);
    }

    /// Templates write the arguments of calls as text, which they put between other texts, or as
    /// objects, of which they make JSON; and some know calls only in messages without content, which
    /// others cannot take. They get what users of transformers would give them: the first form in which
    /// a call is written.
    private static CallForm callForm(ChatTemplate template) {
        ToolCall call = new ToolCall("call_123a", "look", "{\"wok\": 1}");
        List<Message> messages = List.of(
                Message.user("Look!"),
                Message.assistant("").withToolCalls(List.of(call)),
                Message.tool(call.id(), "seen"));
        return CallForm.ALL.stream()
                .filter(form -> isWritten(template, fields(messages, form)))
                .findFirst()
                .orElse(CallForm.ALL.getFirst());
    }

    private static boolean isWritten(ChatTemplate template, List<Map<String, Object>> messages) {
        try {
            return template.render(messages, List.of(), false).contains("\"wok\"");
        } catch (BadInput _) {
            return false;
        }
    }

    private static List<Map<String, Object>> fields(List<Message> messages, CallForm form) {
        return messages.stream().map(message -> message.fields(form)).toList();
    }

    Dialect dialect() {
        return dialect;
    }

    ReplyForm form() {
        return form;
    }

    /// @throws BadInput where the template refuses the conversation, or the options do not fit it or
    ///     each other
    Prompt prompt(List<Message> messages, ChatOptions options) {
        List<Tool> tools = tools(options);
        List<Message> told = tools.isEmpty() || dialect.declaresTools() ? messages : declared(messages, tools);
        List<Map<String, Object>> fields = new ArrayList<>(fields(told, callForm));
        List<Map<String, Object>> declarations =
                tools.stream().map(Tool::fields).toList();
        Map<String, Object> variables = variables(options);
        if (options.continuesLast()) {
            return continued(fields, declarations, variables, tools);
        }
        String text = template.render(fields, declarations, true, variables);
        if (dialect.thoughts().isEmpty()) {
            return new Prompt(text, Thinking.NONE, tools);
        }
        boolean unwanted = options.thinking().equals(Optional.of(false));
        Dialect.Thoughts thoughts = dialect.thoughts().get();
        if (text.stripTrailing().endsWith(thoughts.open())) {
            return unwanted
                    ? new Prompt(withoutThoughts(text, thoughts), Thinking.NONE, tools)
                    : new Prompt(text, Thinking.BEGUN, tools);
        }
        boolean over = unwanted || text.stripTrailing().endsWith(thoughts.close());
        return new Prompt(text, over ? Thinking.NONE : Thinking.POSSIBLE, tools);
    }

    /// Ends thoughts that a template begins, whatever it is told.
    private static String withoutThoughts(String text, Dialect.Thoughts thoughts) {
        return text + (text.endsWith("\n") ? "\n" : "\n\n") + thoughts.close() + "\n\n";
    }

    private Prompt continued(
            List<Map<String, Object>> fields,
            List<Map<String, Object>> declarations,
            Map<String, Object> variables,
            List<Tool> tools) {
        if (fields.isEmpty() || !"assistant".equals(fields.getLast().get("role"))) {
            throw new BadInput("an answer goes on from the last message, and that is not an assistant's.");
        }
        fields.getLast().put("prefix", true);
        String text = template.renderBeginning(fields, declarations, variables);
        String before = template.render(fields.subList(0, fields.size() - 1), declarations, false, variables);
        int common = Arrays.mismatch(text.toCharArray(), before.toCharArray());
        int start = common < 0 ? text.length() : common;
        String last = withReasoning(text.substring(start), fields.getLast());
        boolean thinking = dialect.thoughts()
                .filter(t -> last.lastIndexOf(t.open()) > last.lastIndexOf(t.close()))
                .isPresent();
        return new Prompt(text.substring(0, start) + last, thinking ? Thinking.BEGUN : Thinking.NONE, tools);
    }

    /// Writes the thoughts of a message that is begun, which most templates leave out of messages.
    ///
    /// @param text of the message
    private String withReasoning(String text, Map<String, Object> message) {
        String content = String.valueOf(message.get("content"));
        int at = text.lastIndexOf(content.strip());
        if (!(message.get("reasoning_content") instanceof String reasoning)
                || text.substring(0, Math.max(0, at)).contains(reasoning.strip())) {
            return text;
        }
        Dialect.Thoughts thoughts = dialect.thoughts()
                .orElseThrow(
                        () -> new BadInput(
                                "the last message has thoughts, of which the model's chat template knows nothing; leave them out."));
        String head = text.substring(0, Math.max(0, at)).stripTrailing();
        for (String tag : List.of(thoughts.close(), thoughts.open())) {
            head = head.endsWith(tag)
                    ? head.substring(0, head.length() - tag.length()).stripTrailing()
                    : head;
        }
        return "%s%s\n%s\n%s\n\n%s".formatted(head, thoughts.open(), reasoning.strip(), thoughts.close(), content);
    }

    private static Map<String, Object> variables(ChatOptions options) {
        Map<String, Object> variables = new HashMap<>();
        options.thinking().ifPresent(thinking -> {
            variables.put("thinking", thinking);
            variables.put("enable_thinking", thinking);
        });
        options.reasoningEffort().ifPresent(effort -> variables.put("reasoning_effort", effort));
        options.templateVariables().forEach((name, value) -> {
            if (OWN_VARIABLES.contains(name)) {
                throw new BadInput(
                        "the template variable %s is the conversation's own; choose another name.".formatted(name));
            }
            variables.put(name, value);
        });
        return variables;
    }

    /// @return the tools that the model is told of
    private List<Tool> tools(ChatOptions options) {
        Set<String> names = new HashSet<>();
        for (Tool tool : options.tools()) {
            if (!names.add(tool.name())) {
                throw new BadInput("there are two tools %s, expected names that differ.".formatted(tool.name()));
            }
        }
        switch (options.toolChoice()) {
            case ToolChoice.Auto() -> {}
            case ToolChoice.None() -> {
                return List.of();
            }
            case ToolChoice.Required() -> {
                if (names.isEmpty()) {
                    throw new BadInput("a call of a tool is required, and there are no tools.");
                }
            }
            case ToolChoice.Named(String tool) -> {
                if (!names.contains(tool)) {
                    throw new BadInput("a call of %s is required, and there is no such tool.".formatted(tool));
                }
            }
        }
        if (!names.isEmpty() && dialect.calls().isEmpty()) {
            throw new BadInput("the model's chat template knows no calls of tools; leave out tools.");
        }
        return options.tools();
    }

    /// Tells the model of tools where its template knows calls but would not.
    private List<Message> declared(List<Message> messages, List<Tool> tools) {
        String lines = tools.stream().map(tool -> Json.write(tool.fields())).collect(Collectors.joining("\n"));
        String told = "# Tools\n\nYou may call these tools:\n%s\n\nA call is written like this:\n%s"
                .formatted(lines, dialect.calls().orElseThrow().example());
        List<Message> declared = new ArrayList<>(messages);
        if (!messages.isEmpty() && messages.getFirst().role().equals("system")) {
            Message system = messages.getFirst();
            declared.set(0, Message.system(system.content() + "\n\n" + told));
        } else {
            declared.addFirst(Message.system(told));
        }
        return declared;
    }
}
