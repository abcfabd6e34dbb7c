package dev.wok.langchain4j;

import dev.langchain4j.agent.tool.ToolExecutionRequest;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.langchain4j.model.chat.response.CompleteToolCall;
import dev.langchain4j.model.chat.response.PartialResponse;
import dev.langchain4j.model.chat.response.PartialResponseContext;
import dev.langchain4j.model.chat.response.PartialThinking;
import dev.langchain4j.model.chat.response.PartialThinkingContext;
import dev.langchain4j.model.chat.response.PartialToolCall;
import dev.langchain4j.model.chat.response.PartialToolCallContext;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.langchain4j.model.chat.response.StreamingHandle;
import dev.wok.api.Reply;
import org.jspecify.annotations.Nullable;

/// Tells a handler of LangChain4j the parts of a reply. All on one thread but [#cancel].
final class Listener implements StreamingHandle {
    private static final System.Logger LOG = System.getLogger(WokStreamingChatModel.class.getName());

    private final StreamingChatResponseHandler handler;
    private final Reply reply;
    private volatile boolean cancelled;

    /// The call whose arguments are being heard.
    private @Nullable Call call;

    Listener(StreamingChatResponseHandler handler, Reply reply) {
        this.handler = handler;
        this.reply = reply;
    }

    /// A call of a tool.
    ///
    /// @param arguments all that was heard
    /// @param held those that were not told yet
    private record Call(Reply.CallStart start, StringBuilder arguments, StringBuilder held) {
        PartialToolCall partial() {
            PartialToolCall partial = PartialToolCall.builder()
                    .index(start.index())
                    .id(start.id())
                    .name(start.name())
                    .partialArguments(held.toString())
                    .build();
            held.setLength(0);
            return partial;
        }

        CompleteToolCall complete() {
            return new CompleteToolCall(
                    start.index(),
                    ToolExecutionRequest.builder()
                            .id(start.id())
                            .name(start.name())
                            .arguments(arguments.toString())
                            .build());
        }
    }

    /// Waits for all of the reply.
    void tell(Conversations conversations) {
        try {
            for (Reply.Part part : reply) {
                hear(part);
                if (cancelled) {
                    return;
                }
            }
            endCall();
            ChatResponse response = conversations.response(reply);
            tell(() -> handler.onCompleteResponse(response));
        } catch (RuntimeException e) {
            fail(Failures.translated(e));
        } catch (Error e) {
            fail(e);
        }
    }

    private void fail(Throwable error) {
        if (!cancelled) {
            fail(handler, error);
        }
    }

    static void fail(StreamingChatResponseHandler handler, Throwable error) {
        try {
            handler.onError(error);
        } catch (RuntimeException e) {
            LOG.log(System.Logger.Level.WARNING, "onError of a handler failed, which is ignored", e);
        }
    }

    private void hear(Reply.Part part) {
        switch (part) {
            case Reply.Thought thought
            when !thought.text().isEmpty() ->
                tell(() -> handler.onPartialThinking(
                        new PartialThinking(thought.text()), new PartialThinkingContext(this)));
            case Reply.Text text
            when !text.text().isEmpty() ->
                tell(() ->
                        handler.onPartialResponse(new PartialResponse(text.text()), new PartialResponseContext(this)));
            case Reply.Thought _, Reply.Text _ -> {}
            case Reply.CallStart start -> {
                endCall();
                call = new Call(start, new StringBuilder(), new StringBuilder());
            }
            case Reply.CallArguments arguments -> hear(arguments.json());
        }
    }

    /// A piece that says nothing, such as the brace that begins every call, waits for the next.
    private void hear(String json) {
        Call current = call;
        if (current == null) {
            throw new IllegalStateException("arguments of no call: " + json);
        }
        current.arguments().append(json);
        current.held().append(json);
        String held = current.held().toString().strip();
        if (!held.isEmpty() && !held.equals("{")) {
            tellArguments(current);
        }
    }

    private void tellArguments(Call current) {
        PartialToolCall partial = current.partial();
        tell(() -> handler.onPartialToolCall(partial, new PartialToolCallContext(this)));
    }

    private void endCall() {
        Call ended = call;
        call = null;
        if (ended == null) {
            return;
        }
        if (!ended.held().isEmpty()) {
            tellArguments(ended);
        }
        tell(() -> handler.onCompleteToolCall(ended.complete()));
    }

    /// What a handler throws is its own business, of which it is told; the answer goes on.
    private void tell(Runnable callback) {
        if (cancelled) {
            return;
        }
        try {
            callback.run();
        } catch (RuntimeException e) {
            fail(e);
        }
    }

    @Override
    public void cancel() {
        cancelled = true;
        reply.cancel();
    }

    @Override
    public boolean isCancelled() {
        return cancelled;
    }
}
