package dev.wok.langchain4j;

import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.common.AbstractChatModelIT;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.wok.api.Model;
import java.util.List;
import org.junit.jupiter.api.AfterAll;

/// LangChain4j's own tests of chat models.
class WokChatModelTest extends AbstractChatModelIT {
    private final Model model = Lines.model();

    @AfterAll
    void close() {
        model.close();
    }

    @Override
    protected List<ChatModel> models() {
        return List.of(createModelWith(Lines.greedy()));
    }

    @Override
    protected ChatModel createModelWith(ChatRequestParameters parameters) {
        return WokChatModel.builder()
                .model(model)
                .modelName(Lines.NAME)
                .defaultRequestParameters(Lines.greedy().overrideWith(parameters))
                .build();
    }

    @Override
    protected ChatRequestParameters createIntegrationSpecificParameters(int maxOutputTokens) {
        return WokChatRequestParameters.builder()
                .maxOutputTokens(maxOutputTokens)
                .build();
    }

    /// A model has one name; others are refused.
    @Override
    protected boolean supportsModelNameParameter() {
        return false;
    }

    @Override
    protected boolean supportsSingleImageInputAsBase64EncodedString() {
        return false;
    }

    @Override
    protected boolean supportsSingleImageInputAsPublicURL() {
        return false;
    }
}
