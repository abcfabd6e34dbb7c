package dev.wok.langchain4j;

import static dev.langchain4j.model.chat.Capability.RESPONSE_FORMAT_JSON_SCHEMA;

import dev.langchain4j.exception.UnsupportedFeatureException;
import dev.langchain4j.model.ModelProvider;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.wok.api.Reply;
import dev.wok.langchain4j.spi.WokStreamingChatModelBuilderFactory;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;

/// A language model of Wok as a streaming chat model of LangChain4j, in the same process.
///
/// Each answer calls its handler from a virtual thread of its own. A handler's context cancels it: the
/// model ends after the step in progress, and the handler hears no more. What a handler throws goes to
/// its `onError`, and the answer goes on. All else is as with [WokChatModel].
public final class WokStreamingChatModel implements StreamingChatModel, AutoCloseable {
    private final Conversations conversations;

    private WokStreamingChatModel(Conversations conversations) {
        this.conversations = conversations;
    }

    /// @return to build one
    public static Builder builder() {
        return ServiceLoader.load(WokStreamingChatModelBuilderFactory.class)
                .findFirst()
                .map(WokStreamingChatModelBuilderFactory::get)
                .orElseGet(Builder::new);
    }

    /// Builds a [WokStreamingChatModel].
    public static class Builder extends ChatBuilder<Builder> {
        /// One that knows no model yet.
        public Builder() {}

        @Override
        final Builder self() {
            return this;
        }

        /// @return the model
        /// @throws dev.langchain4j.exception.InvalidRequestException where it cannot be loaded
        /// @throws UnsupportedFeatureException where the parameters name another model
        public WokStreamingChatModel build() {
            return new WokStreamingChatModel(conversations());
        }
    }

    /// @throws UnsupportedFeatureException where something is asked for that the model does not do; all
    ///     else goes to the handler
    @Override
    public void doChat(ChatRequest request, StreamingChatResponseHandler handler) {
        Runnable work;
        try {
            Reply reply = conversations.reply(request);
            work = () -> new Listener(handler, reply).tell(conversations);
        } catch (UnsupportedFeatureException e) {
            throw e;
        } catch (RuntimeException e) {
            work = () -> Listener.fail(handler, Failures.translated(e));
        }
        Thread.ofVirtual().name("wok-reply").start(work);
    }

    @Override
    public ChatRequestParameters defaultRequestParameters() {
        return conversations.parameters();
    }

    @Override
    public List<ChatModelListener> listeners() {
        return conversations.listeners();
    }

    @Override
    public ModelProvider provider() {
        return ModelProvider.OTHER;
    }

    @Override
    public Set<Capability> supportedCapabilities() {
        return Set.of(RESPONSE_FORMAT_JSON_SCHEMA);
    }

    /// Closes the model, where it was loaded by the builder. Answers that have not ended fail.
    @Override
    public void close() {
        conversations.held().close();
    }
}
