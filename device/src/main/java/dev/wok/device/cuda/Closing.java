package dev.wok.device.cuda;

import org.jspecify.annotations.Nullable;

/// Steps of which each is taken whatever became of those before; the first failure is thrown at the end,
/// the others are attached to it.
final class Closing {
    private @Nullable RuntimeException failure;

    Closing then(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            if (failure == null) {
                failure = e;
            } else if (failure != e) {
                failure.addSuppressed(e);
            }
        }
        return this;
    }

    /// Cleans up after a failure.
    ///
    /// @return the failure, to be thrown
    static RuntimeException after(RuntimeException failure, Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            failure.addSuppressed(e);
        }
        return failure;
    }

    /// Throws the first failure, if there was one.
    void end() {
        if (failure != null) {
            throw failure;
        }
    }
}
