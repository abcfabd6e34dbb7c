package dev.wok.langchain4j;

import static org.mockito.ArgumentMatchers.any;
import static org.mockito.ArgumentMatchers.argThat;
import static org.mockito.Mockito.atLeastOnce;

import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.common.AbstractStreamingChatModelIT;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.langchain4j.model.chat.response.StreamingChatResponseHandler;
import dev.wok.api.Model;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.mockito.InOrder;

/// LangChain4j's own tests of streaming chat models.
class WokStreamingChatModelTest extends AbstractStreamingChatModelIT {
    private final Model model = Lines.model();

    @AfterAll
    void close() {
        model.close();
    }

    @Override
    protected List<StreamingChatModel> models() {
        return List.of(createModelWith(Lines.greedy()));
    }

    @Override
    protected StreamingChatModel createModelWith(ChatRequestParameters parameters) {
        return builder()
                .defaultRequestParameters(Lines.greedy().overrideWith(parameters))
                .build();
    }

    @Override
    public StreamingChatModel createModelWith(ChatModelListener listener) {
        return builder().listeners(List.of(listener)).build();
    }

    private WokStreamingChatModel.Builder builder() {
        return WokStreamingChatModel.builder()
                .model(model)
                .modelName(Lines.NAME)
                .defaultRequestParameters(Lines.greedy());
    }

    @Override
    protected ChatRequestParameters createIntegrationSpecificParameters(int maxOutputTokens) {
        return WokChatRequestParameters.builder()
                .maxOutputTokens(maxOutputTokens)
                .build();
    }

    @Override
    protected void verifyToolCallbacks(StreamingChatResponseHandler handler, InOrder order, String id) {
        verifyCall(handler, order, 0, id, "getWeather", "{\"city\": \"Munich\"}");
    }

    @Override
    protected void verifyToolCallbacks(StreamingChatResponseHandler handler, InOrder order, String id1, String id2) {
        verifyCall(handler, order, 0, id1, "getWeather", "{\"city\": \"Munich\"}");
        verifyCall(handler, order, 1, id2, "getTime", "{\"country\": \"France\"}");
    }

    private static void verifyCall(
            StreamingChatResponseHandler handler, InOrder order, int index, String id, String tool, String arguments) {
        order.verify(handler, atLeastOnce()).onPartialToolCall(argThat(call -> call.index() == index), any());
        order.verify(handler).onCompleteToolCall(complete(index, id, tool, arguments));
    }

    /// That test does nothing for half a minute after it cancelled: it runs in [WokStreamingCancelTest].
    @Override
    protected boolean supportsStreamingCancellation() {
        return false;
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
