package dev.wok.cli;

import dev.wok.api.Answer;
import dev.wok.generate.Generation.FinishReason;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/// Lets Ctrl-C end answers as a whole: what was begun is printed to its end, and no more is computed.
final class Interruption {
    private static final int LONGEST_STEP_SECONDS = 10;

    private Interruption() {}

    /// Runs what prints an answer.
    ///
    /// @return whether to go on with the next answer
    static boolean during(Answer answer, Runnable printing) {
        return during(answer::cancel, () -> {
            printing.run();
            return answer.finishReason() != FinishReason.CANCELLED;
        });
    }

    /// Runs what prints answers.
    ///
    /// @param cancel ends them, from another thread
    /// @param printing says whether to go on
    static boolean during(Runnable cancel, BooleanSupplier printing) {
        CountDownLatch printed = new CountDownLatch(1);
        Thread hook = new Thread(() -> cancel(cancel, printed));
        try {
            Runtime.getRuntime().addShutdownHook(hook);
        } catch (IllegalStateException e) {
            // Java shuts down already.
            return false;
        }
        try {
            return printing.getAsBoolean();
        } finally {
            printed.countDown();
            removeHook(hook);
        }
    }

    /// Runs while Java shuts down, on Ctrl-C: waits until the step is done and printed.
    static void cancel(Runnable cancel, CountDownLatch printed) {
        cancel.run();
        try {
            boolean _ = printed.await(LONGEST_STEP_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    static void removeHook(Thread hook) {
        try {
            Runtime.getRuntime().removeShutdownHook(hook);
        } catch (IllegalStateException e) {
            // The hook is running: it asked for this end, and waits for it.
            return;
        }
    }
}
