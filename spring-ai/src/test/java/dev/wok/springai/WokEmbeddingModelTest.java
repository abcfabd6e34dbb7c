package dev.wok.springai;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.api.Model;
import dev.wok.notice.BadInput;
import dev.wok.parrot.Family;
import dev.wok.parrot.Parrot;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.springframework.ai.document.Document;
import org.springframework.ai.embedding.EmbeddingOptions;
import org.springframework.ai.embedding.EmbeddingRequest;
import org.springframework.ai.embedding.EmbeddingResponse;

class WokEmbeddingModelTest {
    @Test
    void textsBecomeVectorsInOrder() {
        try (Model model =
                Model.load(Parrot.usual(Family.QWEN), Model.Options.defaults().withThreads(1))) {
            WokEmbeddingModel embedding = new WokEmbeddingModel(model, "polly");
            EmbeddingResponse response = embedding.embedForResponse(List.of("Grüße 🦜", "Hello!"));
            assertEquals("polly", response.getMetadata().getModel());
            assertTrue(response.getMetadata().getUsage().getPromptTokens() > 2);
            float[] first = response.getResults().getFirst().getOutput();
            assertEquals(embedding.dimensions(), first.length);
            assertArrayEquals(embedding.embed("Grüße 🦜"), first, 1e-6f);
            assertArrayEquals(
                    embedding.embed(new Document("Hello!")),
                    response.getResults().get(1).getOutput(),
                    1e-6f);

            assertRefused(
                    embedding,
                    EmbeddingOptions.builder().dimensions(3).build(),
                    "vectors of 3 numbers are asked for, the model's have %d; leave dimensions out."
                            .formatted(embedding.dimensions()));
            assertRefused(
                    embedding,
                    EmbeddingOptions.builder().model("ada").build(),
                    "model 'ada' is asked for, this one is 'polly'; leave it out or ask another EmbeddingModel.");
        }
    }

    private static void assertRefused(WokEmbeddingModel embedding, EmbeddingOptions options, String message) {
        EmbeddingRequest request = new EmbeddingRequest(List.of("a"), options);
        assertEquals(
                message,
                assertThrows(BadInput.class, () -> embedding.call(request)).getMessage());
    }
}
