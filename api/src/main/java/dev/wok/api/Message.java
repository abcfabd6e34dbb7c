package dev.wok.api;

import dev.wok.notice.BadInput;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// A message of a conversation.
///
/// @param role `system`, `user`, `assistant` or `tool`, or what else the model's chat template knows
/// @param content what was said
/// @param reasoning what an assistant thought before it said that
/// @param toolCalls what an assistant asked tools
/// @param toolCallId which call a tool's message answers
/// @param name of who speaks, or of the tool
public record Message(
        String role,
        String content,
        Optional<String> reasoning,
        List<ToolCall> toolCalls,
        Optional<String> toolCallId,
        Optional<String> name) {
    public Message {
        toolCalls = List.copyOf(toolCalls);
    }

    /// A message of a role and nothing but content.
    public Message(String role, String content) {
        this(role, content, Optional.empty(), List.of(), Optional.empty(), Optional.empty());
    }

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

    /// @param callId of the call that is answered
    /// @return what a tool answered
    public static Message tool(String callId, String content) {
        return new Message("tool", content, Optional.empty(), List.of(), Optional.of(callId), Optional.empty());
    }

    /// @return this with thoughts before it
    public Message withReasoning(String value) {
        return new Message(role, content, Optional.of(value), toolCalls, toolCallId, name);
    }

    /// @return this with calls of tools
    public Message withToolCalls(List<ToolCall> value) {
        return new Message(role, content, reasoning, value, toolCallId, name);
    }

    /// @return this with the name of who speaks
    public Message withName(String value) {
        return new Message(role, content, reasoning, toolCalls, toolCallId, Optional.of(value));
    }

    /// @return this as a chat template takes it
    /// @throws BadInput where arguments are no JSON object
    Map<String, Object> fields(CallForm form) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("role", role);
        fields.put("content", isCallsAlone() && !form.emptyContent() ? Optional.empty() : content);
        reasoning.ifPresent(text -> fields.put("reasoning_content", text));
        name.ifPresent(text -> fields.put("name", text));
        toolCallId.ifPresent(id -> fields.put("tool_call_id", id));
        if (!toolCalls.isEmpty()) {
            fields.put(
                    "tool_calls",
                    toolCalls.stream()
                            .map(call -> call.fields(form.textArguments()))
                            .toList());
        }
        return fields;
    }

    private boolean isCallsAlone() {
        return content.isEmpty() && !toolCalls.isEmpty();
    }
}
