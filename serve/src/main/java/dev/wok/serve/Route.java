package dev.wok.serve;

import tools.jackson.databind.JsonNode;

/// Answers requests of one kind.
interface Route {
    /// Answers a request, and returns when that is done.
    ///
    /// @throws Refusal where it is not answered: before [Call#events] as the status and body of the
    ///     answer, after it as an event
    /// @throws dev.wok.notice.BadInput the same with status 400
    void answer(Call call);

    /// @return the error as this API's clients read it
    default JsonNode error(Refusal refusal) {
        return Errors.openAi(refusal);
    }

    /// Sends an error to a client that reads events already; the answer is ended afterwards.
    default void fail(Call.Events events, Refusal refusal) {
        events.send(error(refusal));
    }

    /// @return whether people look at the answer in a browser, which then may ask them for the key
    default boolean isForPeople() {
        return false;
    }
}
