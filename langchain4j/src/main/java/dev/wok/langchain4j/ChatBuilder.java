package dev.wok.langchain4j;

import dev.langchain4j.model.chat.listener.ChatModelListener;
import dev.langchain4j.model.chat.request.ChatRequestParameters;
import java.util.List;

/// Which model, and what requests that say nothing else get.
abstract class ChatBuilder<B extends ChatBuilder<B>> extends ModelBuilder<B> {
    private ChatRequestParameters parameters = WokChatRequestParameters.EMPTY;
    private List<ChatModelListener> listeners = List.of();

    /// @param value what holds where a request says nothing else, such as [WokChatRequestParameters]
    /// @return this
    public B defaultRequestParameters(ChatRequestParameters value) {
        parameters = WokChatRequestParameters.EMPTY.overrideWith(value);
        return self();
    }

    /// @param value who is told of requests, responses and errors
    /// @return this
    public B listeners(List<ChatModelListener> value) {
        listeners = List.copyOf(value);
        return self();
    }

    final Conversations conversations() {
        Requests requests = new Requests(name());
        requests.requireSupported(parameters);
        return new Conversations(held(), requests, parameters, listeners);
    }
}
