package dev.wok.serve;

import dev.wok.notice.BadInput;
import java.util.function.IntSupplier;

/// The refusal of prompts that are too long for a model.
final class Context {
    private Context() {}

    /// @param cause why the model does not take a prompt
    /// @param tokens of the prompt
    /// @param param the field that holds it
    static RuntimeException refusal(BadInput cause, Models.Named model, IntSupplier tokens, String param) {
        int context = model.model().config().maxPositionEmbeddings();
        try {
            if (tokens.getAsInt() <= context) {
                return cause;
            }
        } catch (BadInput _) {
            return cause;
        }
        return new Refusal(
                400, "invalid_request_error", String.valueOf(cause.getMessage()), param, "context_length_exceeded");
    }
}
