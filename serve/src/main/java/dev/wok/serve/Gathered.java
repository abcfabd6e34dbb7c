package dev.wok.serve;

import dev.wok.api.Reply;
import dev.wok.api.ToolCall;
import dev.wok.generate.Token;
import java.util.ArrayList;
import java.util.List;

/// What a reply said, put together from its parts.
final class Gathered {
    private final StringBuilder thoughts = new StringBuilder();
    private final StringBuilder text = new StringBuilder();
    private final List<Token> thoughtTokens = new ArrayList<>();
    private final List<Token> textTokens = new ArrayList<>();
    private final List<Reply.CallStart> calls = new ArrayList<>();
    private final List<StringBuilder> arguments = new ArrayList<>();

    void add(Reply.Part part) {
        switch (part) {
            case Reply.Thought thought -> {
                thoughts.append(thought.text());
                thoughtTokens.addAll(thought.tokens());
            }
            case Reply.Text said -> {
                text.append(said.text());
                textTokens.addAll(said.tokens());
            }
            case Reply.CallStart call -> {
                calls.add(call);
                arguments.add(new StringBuilder());
            }
            case Reply.CallArguments more -> arguments.get(more.index()).append(more.json());
        }
    }

    String thoughts() {
        return thoughts.toString();
    }

    String text() {
        return text.toString();
    }

    List<Token> thoughtTokens() {
        return thoughtTokens;
    }

    List<Token> textTokens() {
        return textTokens;
    }

    List<ToolCall> calls() {
        List<ToolCall> all = new ArrayList<>();
        for (Reply.CallStart call : calls) {
            all.add(new ToolCall(
                    call.id(), call.name(), arguments.get(call.index()).toString()));
        }
        return all;
    }
}
