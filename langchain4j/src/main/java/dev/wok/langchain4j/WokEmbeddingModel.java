package dev.wok.langchain4j;

import dev.langchain4j.data.embedding.Embedding;
import dev.langchain4j.model.ModelProvider;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.embedding.listener.EmbeddingModelListener;
import dev.langchain4j.model.embedding.request.EmbeddingInput;
import dev.langchain4j.model.embedding.request.EmbeddingRequest;
import dev.langchain4j.model.embedding.response.EmbeddingResponse;
import dev.langchain4j.model.output.TokenUsage;
import dev.wok.langchain4j.spi.WokEmbeddingModelBuilderFactory;
import java.util.List;
import java.util.ServiceLoader;

/// A language model of Wok as an embedding model of LangChain4j, in the same process: vectors of length
/// 1, as many numbers as the model's hidden size.
public final class WokEmbeddingModel implements EmbeddingModel, AutoCloseable {
    private final Held held;
    private final List<EmbeddingModelListener> listeners;

    private WokEmbeddingModel(Builder builder) {
        held = builder.held();
        listeners = builder.listeners;
    }

    /// @return to build one
    public static Builder builder() {
        return ServiceLoader.load(WokEmbeddingModelBuilderFactory.class)
                .findFirst()
                .map(WokEmbeddingModelBuilderFactory::get)
                .orElseGet(Builder::new);
    }

    /// Builds a [WokEmbeddingModel].
    public static class Builder extends ModelBuilder<Builder> {
        private List<EmbeddingModelListener> listeners = List.of();

        /// One that knows no model yet.
        public Builder() {}

        @Override
        final Builder self() {
            return this;
        }

        /// @param value who is told of requests, responses and errors
        /// @return this
        public Builder listeners(List<EmbeddingModelListener> value) {
            listeners = List.copyOf(value);
            return this;
        }

        /// @return the model
        /// @throws dev.langchain4j.exception.InvalidRequestException where it cannot be loaded
        public WokEmbeddingModel build() {
            return new WokEmbeddingModel(this);
        }
    }

    /// @throws dev.langchain4j.exception.InvalidRequestException where a text does not fit into the
    ///     model's context
    @Override
    public EmbeddingResponse doEmbed(EmbeddingRequest request) {
        return Failures.translated(() -> {
            List<String> texts =
                    request.inputs().stream().map(EmbeddingInput::text).toList();
            List<Embedding> embeddings =
                    held.model().embed(texts).stream().map(Embedding::from).toList();
            return EmbeddingResponse.builder()
                    .embeddings(embeddings)
                    .modelName(held.name())
                    .tokenUsage(new TokenUsage(tokens(texts), 0))
                    .build();
        });
    }

    private int tokens(List<String> texts) {
        return held.model().tokenizer().stream()
                .flatMap(words -> texts.stream().map(words::encode))
                .mapToInt(ids -> ids.length)
                .sum();
    }

    @Override
    public List<EmbeddingModelListener> listeners() {
        return listeners;
    }

    @Override
    public ModelProvider provider() {
        return ModelProvider.OTHER;
    }

    @Override
    public int dimension() {
        return held.model().config().hiddenSize();
    }

    @Override
    public String modelName() {
        return held.name();
    }

    /// Closes the model, where it was loaded by the builder.
    @Override
    public void close() {
        held.close();
    }
}
