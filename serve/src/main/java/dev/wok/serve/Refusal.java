package dev.wok.serve;

import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/// A request that is not answered, and why: what clients get in the error form of the API that they
/// speak.
final class Refusal extends RuntimeException {
    private static final long serialVersionUID = 1;
    private static final int NEVER = -1;

    private final int status;
    private final String type;
    private final @Nullable String param;
    private final @Nullable String code;
    private final int retrySeconds;

    /// @param status of HTTP, 400 to 599
    /// @param type in OpenAI's words, such as `invalid_request_error`
    /// @param param the field that is wrong
    /// @param code in OpenAI's words, such as `model_not_found`
    Refusal(int status, String type, String message, @Nullable String param, @Nullable String code) {
        this(status, type, message, param, code, NEVER);
    }

    private Refusal(
            int status, String type, String message, @Nullable String param, @Nullable String code, int retrySeconds) {
        super(message, null, false, false);
        this.status = status;
        this.type = type;
        this.param = param;
        this.code = code;
        this.retrySeconds = retrySeconds;
    }

    /// A field that is wrong or that this server does not know how to honour.
    static Refusal badField(String param, String message) {
        return new Refusal(400, "invalid_request_error", message, param, null);
    }

    /// A request that is wrong as a whole.
    static Refusal badRequest(int status, String message) {
        return new Refusal(status, "invalid_request_error", message, null, null);
    }

    /// Too much at once, or in too short a time.
    ///
    /// @param type what there was too much of: `requests` or `tokens`
    /// @param seconds after which it may be tried again
    static Refusal tooMuch(String type, String message, int seconds) {
        return new Refusal(429, type, message, null, "rate_limit_exceeded", seconds);
    }

    /// What the server cannot do now.
    ///
    /// @param code such as `shutting_down`
    /// @param seconds after which it may be tried again
    static Refusal unavailable(String code, String message, int seconds) {
        return new Refusal(503, "server_error", message, null, code, seconds);
    }

    int status() {
        return status;
    }

    String type() {
        return type;
    }

    String message() {
        return String.valueOf(getMessage());
    }

    @Nullable
    String param() {
        return param;
    }

    @Nullable
    String code() {
        return code;
    }

    /// @return seconds after which it may be tried again, where that is known
    OptionalInt retrySeconds() {
        return retrySeconds == NEVER ? OptionalInt.empty() : OptionalInt.of(retrySeconds);
    }
}
