package dev.wok.langchain4j;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import dev.langchain4j.exception.InvalidRequestException;
import dev.langchain4j.model.embedding.EmbeddingModel;
import dev.langchain4j.model.embedding.common.AbstractEmbeddingModelIT;
import dev.langchain4j.model.embedding.listener.EmbeddingModelListener;
import dev.langchain4j.store.embedding.CosineSimilarity;
import dev.wok.api.Model;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/// LangChain4j's own tests of embedding models, and a few more.
class WokEmbeddingModelTest extends AbstractEmbeddingModelIT {
    private final Model model = Lines.model();

    @AfterAll
    void close() {
        model.close();
    }

    @Override
    protected List<EmbeddingModel> models() {
        return List.of(builder().build());
    }

    @Override
    protected EmbeddingModel modelWith(EmbeddingModelListener listener) {
        return builder().listeners(List.of(listener)).build();
    }

    @Override
    protected EmbeddingModel failingModelWith(EmbeddingModelListener listener) {
        Model closed = Lines.model();
        closed.close();
        return WokEmbeddingModel.builder()
                .model(closed)
                .listeners(List.of(listener))
                .build();
    }

    private WokEmbeddingModel.Builder builder() {
        return WokEmbeddingModel.builder().model(model).modelName(Lines.NAME);
    }

    /// A language model has no mode for questions.
    @Override
    protected boolean supportsInputTypeParameter() {
        return false;
    }

    @Override
    protected boolean supportsDimensionsParameter() {
        return false;
    }

    @Override
    protected boolean supportsImageInput() {
        return false;
    }

    @Test
    void vectorsHaveLengthOneAndSayWhatTheModelIsCalled() {
        WokEmbeddingModel embedding = builder().build();
        float[] vector = embedding.embed("Grüße aus 🦜").content().vector();
        double square = 0;
        for (float value : vector) {
            square += (double) value * value;
        }
        assertEquals(1, square, 1e-5);
        assertEquals(model.config().hiddenSize(), vector.length);
        assertEquals(Lines.NAME, embedding.modelName());
        assertEquals(
                1,
                CosineSimilarity.between(
                        embedding.embed("same").content(),
                        embedding.embed("same").content()),
                1e-6);
    }

    @Test
    void whatDoesNotFitIsRefused() {
        String text = "la ".repeat(model.config().maxPositionEmbeddings() + 1);
        assertThrows(InvalidRequestException.class, () -> builder().build().embed(text));
    }
}
