package dev.wok.langchain4j;

import dev.langchain4j.model.chat.ChatModel;
import dev.langchain4j.model.chat.StreamingChatModel;
import dev.langchain4j.model.chat.common.AbstractChatModelListenerIT;
import dev.langchain4j.model.chat.common.AbstractStreamingChatModelListenerIT;
import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import dev.wok.api.Model;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Nested;

/// LangChain4j's own tests of who is told of requests, responses and errors.
class WokListenersTest {
    private static Model model;

    @BeforeAll
    static void load() {
        model = Lines.model();
    }

    @AfterAll
    static void close() {
        model.close();
    }

    /// What refuses every request.
    private static Model closed() {
        Model closed = Lines.model();
        closed.close();
        return closed;
    }

    private static ChatRequestParameters parameters(Double temperature, Double topP, Integer maxTokens) {
        return WokChatRequestParameters.builder()
                .modelName(Lines.NAME)
                .temperature(temperature)
                .topP(topP)
                .maxOutputTokens(maxTokens)
                .build();
    }

    @Nested
    class ChatTest extends AbstractChatModelListenerIT {
        @Override
        protected ChatModel createModel(ChatModelListener listener) {
            return WokChatModel.builder()
                    .model(model)
                    .modelName(modelName())
                    .defaultRequestParameters(parameters(temperature(), topP(), maxTokens()))
                    .listeners(List.of(listener))
                    .build();
        }

        @Override
        protected String modelName() {
            return Lines.NAME;
        }

        @Override
        protected ChatModel createFailingModel(ChatModelListener listener) {
            return WokChatModel.builder()
                    .model(closed())
                    .listeners(List.of(listener))
                    .build();
        }

        @Override
        protected Class<? extends Exception> expectedExceptionClass() {
            return IllegalStateException.class;
        }
    }

    @Nested
    class StreamingTest extends AbstractStreamingChatModelListenerIT {
        @Override
        protected StreamingChatModel createModel(ChatModelListener listener) {
            return WokStreamingChatModel.builder()
                    .model(model)
                    .modelName(modelName())
                    .defaultRequestParameters(parameters(temperature(), topP(), maxTokens()))
                    .listeners(List.of(listener))
                    .build();
        }

        @Override
        protected String modelName() {
            return Lines.NAME;
        }

        @Override
        protected StreamingChatModel createFailingModel(ChatModelListener listener) {
            return WokStreamingChatModel.builder()
                    .model(closed())
                    .listeners(List.of(listener))
                    .build();
        }

        @Override
        protected Class<? extends Exception> expectedExceptionClass() {
            return IllegalStateException.class;
        }
    }
}
