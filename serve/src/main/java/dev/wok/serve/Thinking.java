package dev.wok.serve;

import dev.wok.api.ChatOptions;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.Set;

/// What requests say about thoughts.
final class Thinking {
    private static final Set<String> EFFORTS = Set.of("none", "minimal", "low", "medium", "high", "xhigh", "max");
    private static final Set<String> TYPES = Set.of("enabled", "disabled", "adaptive");

    /// Variables of chat templates that turn thoughts on and off.
    private static final Set<String> SWITCHES = Set.of("thinking", "enable_thinking");

    private Thinking() {}

    /// @return options with what a request for a chat completion says: `thinking`, `enable_thinking`,
    ///     `reasoning_effort` and `chat_template_kwargs`, of which the first that is given counts
    static ChatOptions chat(Fields request, ChatOptions options) {
        ChatOptions read = variables(request, options);
        read = effort(request, "reasoning_effort", read);
        Optional<Boolean> on = request.flag("enable_thinking");
        read = on.isPresent() ? read.withThinking(on.get()) : read;
        return type(request, read);
    }

    private static ChatOptions variables(Fields request, ChatOptions options) {
        Optional<Fields> given = request.object("chat_template_kwargs");
        if (given.isEmpty()) {
            return options;
        }
        Map<String, Object> variables = new LinkedHashMap<>();
        ChatOptions read = options;
        for (String name : given.get().names()) {
            if (SWITCHES.contains(name)) {
                Optional<Boolean> on = given.get().flag(name);
                read = on.isPresent() ? read.withThinking(on.get()) : read;
            } else {
                given.get().any(name).ifPresent(value -> variables.put(name, Generating.plain(value)));
            }
        }
        return read.withTemplateVariables(variables);
    }

    /// @param name of a field that says how much the model thinks
    static ChatOptions effort(Fields fields, String name, ChatOptions options) {
        Optional<String> given = fields.word(name, EFFORTS);
        if (given.isEmpty()) {
            return options;
        }
        return switch (given.get()) {
            case "none" -> options.withThinking(false);
            case "minimal" -> options.withReasoningEffort("low");
            default -> options.withReasoningEffort(given.get());
        };
    }

    /// @return options with what the field `thinking` says: DeepSeek's and Anthropic's form
    static ChatOptions type(Fields request, ChatOptions options) {
        Optional<Fields> given = request.object("thinking");
        if (given.isEmpty()) {
            return options;
        }
        Optional<String> type = given.get().word("type", TYPES);
        OptionalInt budget = given.get().count("budget_tokens", 0, Integer.MAX_VALUE);
        ChatOptions read = type.isPresent() ? options.withThinking(!type.get().equals("disabled")) : options;
        return budget.isPresent() ? read.withMaxThoughtTokens(budget.getAsInt()) : read;
    }
}
