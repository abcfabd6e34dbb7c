package dev.wok.serve;

import java.time.Duration;
import java.util.Optional;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.node.ObjectNode;

/// A request as a [Route] sees it, and the way back to who sent it. The methods block; a route has a
/// thread of its own.
interface Call {
    String method();

    /// @return decoded, without the query: `/v1/models/a b`
    String path();

    /// @return what stands in the path where the endpoint has `{id}`, decoded; empty where it has none
    String id();

    /// @return the first header of that name, in any case
    Optional<String> header(String name);

    /// @return the body, a JSON object
    /// @throws Refusal where it is none
    ObjectNode body();

    /// @return the models that are served
    Models models();

    /// @return how long an answer may take at most, from its beginning
    Duration deadline();

    /// Takes places for texts that are to be generated, from the key's and the server's.
    ///
    /// @param texts how many
    /// @return gives the places back when it is closed, after which the key's tokens are counted
    /// @throws Refusal (429, with Retry-After) where there are none
    Places places(int texts);

    /// Sends the whole answer.
    void send(int status, JsonNode json);

    /// Sends the whole answer.
    void send(int status, String contentType, byte[] body);

    /// Adds a header to the answer that is sent later.
    void header(String name, String value);

    /// Begins an answer of server-sent events.
    Events events();

    /// Runs something as soon as nobody waits for the answer any more, at once where that is so
    /// already: the client has gone, or does not read, or the server ends.
    void whenGone(Runnable what);

    /// Places of texts that are being generated.
    interface Places extends AutoCloseable {
        /// Notes that a piece of one of the texts came, for the time to the first and between others.
        ///
        /// @param text 0, 1, ... of those that places were taken for
        void piece(int text);

        /// Notes what was used, for limits. May be called again, for each text or for more of one.
        void used(int promptTokens, int newTokens);

        /// May be called again.
        @Override
        void close();
    }

    /// An answer in pieces. While nothing is sent for a while, comments keep the connection alive.
    /// Sending waits while the client does not read; where it has gone, sending does nothing.
    interface Events {
        /// Sends `data: JSON`.
        void send(JsonNode json);

        /// Sends `event: NAME` and `data: JSON`.
        void send(String event, JsonNode json);

        /// Sends `data: TEXT`, such as `[DONE]`.
        void send(String text);

        /// Ends the answer.
        void end();
    }
}
