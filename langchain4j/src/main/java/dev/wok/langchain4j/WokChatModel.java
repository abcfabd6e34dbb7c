package dev.wok.langchain4j;

import static dev.langchain4j.model.chat.Capability.RESPONSE_FORMAT_JSON_SCHEMA;

import dev.langchain4j.model.ModelProvider;
import dev.langchain4j.model.chat.Capability;
import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequest;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.ChatResponse;
import dev.wok.langchain4j.spi.WokChatModelBuilderFactory;
import java.util.List;
import java.util.ServiceLoader;
import java.util.Set;

/// A language model of Wok as a chat model of LangChain4j, in the same process.
///
/// ```java
/// try (var model = WokChatModel.builder().path(Path.of("models/qwen")).build()) {
///     System.out.println(model.chat("What is the capital of France?"));
/// }
/// ```
///
/// Answers have 1024 tokens at most where a request does not say otherwise, temperature 0.8 and top-p
/// 0.95, and draws of their own where it gives no seed. Messages are text. Many threads may use a model
/// at once.
///
/// @see WokChatRequestParameters
public final class WokChatModel implements ChatModel, AutoCloseable {
    private final Conversations conversations;

    private WokChatModel(Conversations conversations) {
        this.conversations = conversations;
    }

    /// @return to build one
    public static Builder builder() {
        return ServiceLoader.load(WokChatModelBuilderFactory.class)
                .findFirst()
                .map(WokChatModelBuilderFactory::get)
                .orElseGet(Builder::new);
    }

    /// Builds a [WokChatModel].
    public static class Builder extends ChatBuilder<Builder> {
        /// One that knows no model yet.
        public Builder() {}

        @Override
        final Builder self() {
            return this;
        }

        /// @return the model
        /// @throws dev.langchain4j.exception.InvalidRequestException where it cannot be loaded
        /// @throws dev.langchain4j.exception.UnsupportedFeatureException where the parameters name
        ///     another model
        public WokChatModel build() {
            return new WokChatModel(conversations());
        }
    }

    /// @throws dev.langchain4j.exception.UnsupportedFeatureException where something is asked for that
    ///     the model does not do
    /// @throws dev.langchain4j.exception.InvalidRequestException where the model refuses the request
    @Override
    public ChatResponse doChat(ChatRequest request) {
        return Failures.translated(() -> conversations.response(conversations.reply(request)));
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

    /// Closes the model, where it was loaded by the builder.
    @Override
    public void close() {
        conversations.held().close();
    }
}
