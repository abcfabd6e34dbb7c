package dev.wok.langchain4j;

import dev.langchain4j.exception.InvalidRequestException;
import dev.wok.notice.BadInput;
import java.util.function.Supplier;

/// What Wok refuses, as LangChain4j's exceptions.
final class Failures {
    private Failures() {}

    static <T> T translated(Supplier<T> work) {
        try {
            return work.get();
        } catch (BadInput e) {
            throw translated(e);
        }
    }

    static RuntimeException translated(RuntimeException e) {
        return e instanceof BadInput ? new InvalidRequestException(e.getMessage(), e) : e;
    }
}
