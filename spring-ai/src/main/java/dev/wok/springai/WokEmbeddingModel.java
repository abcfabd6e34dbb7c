package dev.wok.springai;

import dev.wok.api.Model;
import dev.wok.notice.BadInput;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.springframework.ai.chat.metadata.DefaultUsage;
import org.springframework.ai.document.Document;
import org.springframework.ai.embedding.Embedding;
import org.springframework.ai.embedding.EmbeddingModel;
import org.springframework.ai.embedding.EmbeddingOptions;
import org.springframework.ai.embedding.EmbeddingRequest;
import org.springframework.ai.embedding.EmbeddingResponse;
import org.springframework.ai.embedding.EmbeddingResponseMetadata;

/// A language model of Wok as an embedding model of Spring AI, in the same process: vectors of length
/// 1, as many numbers as the model's hidden size.
public final class WokEmbeddingModel implements EmbeddingModel {
    private final Model model;
    private final String name;

    /// @param model stays the caller's, who closes it
    /// @param name what responses call the model, and what requests may
    public WokEmbeddingModel(Model model, String name) {
        this.model = model;
        this.name = name;
    }

    /// @throws BadInput where a text does not fit into the model's context, or the options ask for
    ///     another model or length of vectors
    @Override
    public EmbeddingResponse call(EmbeddingRequest request) {
        requireSupported(request.getOptions());
        List<float[]> vectors = model.embed(request.getInstructions());
        int tokens = model.tokenizer().stream()
                .flatMap(words -> request.getInstructions().stream().map(words::encode))
                .mapToInt(ids -> ids.length)
                .sum();
        return new EmbeddingResponse(
                IntStream.range(0, vectors.size())
                        .mapToObj(index -> new Embedding(vectors.get(index), index))
                        .toList(),
                new EmbeddingResponseMetadata(name, new DefaultUsage(tokens, 0), Map.of()));
    }

    private void requireSupported(@Nullable EmbeddingOptions options) {
        if (options == null) {
            return;
        }
        if (options.getModel() != null && !options.getModel().equals(name)) {
            throw new BadInput("model '%s' is asked for, this one is '%s'; leave it out or ask another EmbeddingModel."
                    .formatted(options.getModel(), name));
        }
        if (options.getDimensions() != null && options.getDimensions() != dimensions()) {
            throw new BadInput("vectors of %d numbers are asked for, the model's have %d; leave dimensions out."
                    .formatted(options.getDimensions(), dimensions()));
        }
    }

    @Override
    public float[] embed(Document document) {
        return embed(Objects.requireNonNullElse(getEmbeddingContent(document), ""));
    }

    @Override
    public int dimensions() {
        return model.config().hiddenSize();
    }
}
