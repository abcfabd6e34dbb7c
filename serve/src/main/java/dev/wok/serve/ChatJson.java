package dev.wok.serve;

import dev.wok.api.Reply;
import dev.wok.api.ToolCall;
import dev.wok.generate.Token;
import java.util.List;
import java.util.Optional;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// Chat completions as OpenAI and DeepSeek write them, whole and in chunks.
///
/// @param stamp what all chunks say alike
/// @param tokens for log-probabilities, where they are asked for
record ChatJson(Stamp stamp, Optional<TokenTexts> tokens) {
    private static final String CHUNK = "chat.completion.chunk";

    /// @param texts what each choice said
    /// @param ended how each choice ended
    ObjectNode whole(List<Gathered> texts, List<Ended> ended, Ended all) {
        ObjectNode root = stamp.object("chat.completion");
        ArrayNode choices = root.putArray("choices");
        for (int i = 0; i < texts.size(); i++) {
            Gathered said = texts.get(i);
            ObjectNode choice = choices.addObject().put("index", i);
            message(choice.putObject("message"), said);
            logprobs(choice, said.thoughtTokens(), said.textTokens());
            choice.put("finish_reason", ended.get(i).openAiReason());
        }
        root.set("usage", UsageJson.of(all));
        return root;
    }

    private static void message(ObjectNode message, Gathered said) {
        message.put("role", "assistant");
        List<ToolCall> calls = said.calls();
        if (said.text().isEmpty() && !calls.isEmpty()) {
            message.putNull("content");
        } else {
            message.put("content", said.text());
        }
        if (!said.thoughts().isEmpty()) {
            message.put("reasoning_content", said.thoughts());
        }
        message.putNull("refusal");
        if (!calls.isEmpty()) {
            ArrayNode list = message.putArray("tool_calls");
            for (ToolCall call : calls) {
                list.addObject()
                        .put("id", call.id())
                        .put("type", "function")
                        .putObject("function")
                        .put("name", call.name())
                        .put("arguments", call.arguments());
            }
        }
    }

    private void logprobs(ObjectNode choice, List<Token> thoughts, List<Token> text) {
        if (tokens.isEmpty()) {
            choice.putNull("logprobs");
            return;
        }
        ObjectNode logprobs = choice.putObject("logprobs");
        logprobs.set("content", tokens.get().logprobs(text));
        if (!thoughts.isEmpty()) {
            logprobs.set("reasoning_content", tokens.get().logprobs(thoughts));
        }
        logprobs.putNull("refusal");
    }

    /// @return a choice's first chunk
    ObjectNode first(int index) {
        return chunk(index, delta().put("role", "assistant").put("content", ""), List.of(), List.of());
    }

    /// @return a chunk, where there is something to say
    Optional<ObjectNode> more(int index, Reply.Part part) {
        return switch (part) {
            case Reply.Thought thought ->
                isSilent(thought.text(), thought.tokens())
                        ? Optional.empty()
                        : Optional.of(chunk(
                                index, delta().put("reasoning_content", thought.text()), thought.tokens(), List.of()));
            case Reply.Text text ->
                isSilent(text.text(), text.tokens())
                        ? Optional.empty()
                        : Optional.of(chunk(index, delta().put("content", text.text()), List.of(), text.tokens()));
            case Reply.CallStart call -> {
                ObjectNode delta = delta();
                call(delta, call.index())
                        .put("id", call.id())
                        .put("type", "function")
                        .putObject("function")
                        .put("name", call.name())
                        .put("arguments", "");
                yield Optional.of(chunk(index, delta, List.of(), List.of()));
            }
            case Reply.CallArguments arguments -> {
                ObjectNode delta = delta();
                call(delta, arguments.index()).putObject("function").put("arguments", arguments.json());
                yield Optional.of(chunk(index, delta, List.of(), List.of()));
            }
        };
    }

    private boolean isSilent(String text, List<Token> of) {
        return text.isEmpty() && (tokens.isEmpty() || of.isEmpty());
    }

    private static ObjectNode call(ObjectNode delta, int index) {
        return delta.putArray("tool_calls").addObject().put("index", index);
    }

    /// @return a choice's last chunk
    ObjectNode last(int index, Ended ended) {
        ObjectNode chunk = chunk(index, delta(), List.of(), List.of());
        ((ObjectNode) chunk.get("choices").get(0)).put("finish_reason", ended.openAiReason());
        return chunk;
    }

    /// @return the chunk after all others
    ObjectNode usage(Ended all) {
        ObjectNode chunk = stamp.object(CHUNK);
        chunk.putArray("choices");
        chunk.set("usage", UsageJson.of(all));
        return chunk;
    }

    private static ObjectNode delta() {
        return JsonNodeFactory.instance.objectNode();
    }

    private ObjectNode chunk(int index, ObjectNode delta, List<Token> thoughts, List<Token> text) {
        ObjectNode chunk = stamp.object(CHUNK);
        ObjectNode choice = chunk.putArray("choices").addObject().put("index", index);
        choice.set("delta", delta);
        if (thoughts.isEmpty() && text.isEmpty()) {
            choice.putNull("logprobs");
        } else {
            logprobs(choice, thoughts, text);
        }
        choice.putNull("finish_reason");
        return chunk;
    }
}
