package dev.wok.tune;

import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;

/// What other threads were asked to find.
final class Futures {
    private Futures() {}

    /// Waits.
    ///
    /// @throws RuntimeException what the other thread threw
    static <T> T result(Future<T> future) {
        try {
            return future.get();
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RuntimeException failure -> throw failure;
                case Error failure -> throw failure;
                case null, default -> throw new IllegalStateException(e);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while waiting for answers", e);
        }
    }
}
