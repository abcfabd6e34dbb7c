package dev.wok.cli;

import java.util.concurrent.CountDownLatch;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Supplier;

/// Lets Ctrl-C end a run of training such that it can go on: the step is finished and saved first.
final class Stopping {
    private Stopping() {}

    /// Runs a sitting.
    ///
    /// @param requestStop asks it to save and return; says whether there is anything to wait for
    /// @param resume the command that goes on
    static <T> T during(BooleanSupplier requestStop, Display display, String resume, Supplier<T> sitting) {
        return during(ended -> stop(requestStop, display, resume, ended), sitting);
    }

    /// Runs something that only another process ends: a signal to end waits until that has come.
    static <T> T atTheEnd(Supplier<T> work) {
        return during(Stopping::await, work);
    }

    /// @param atShutdown is given what tells that the work has ended
    private static <T> T during(Consumer<CountDownLatch> atShutdown, Supplier<T> work) {
        CountDownLatch ended = new CountDownLatch(1);
        Thread hook = new Thread(() -> atShutdown.accept(ended));
        Runtime.getRuntime().addShutdownHook(hook);
        try {
            return work.get();
        } finally {
            ended.countDown();
            Interruption.removeHook(hook);
        }
    }

    /// Runs while Java shuts down.
    private static void stop(BooleanSupplier requestStop, Display display, String resume, CountDownLatch ended) {
        if (!requestStop.getAsBoolean()) {
            display.say("stopped outside of training; go on with: " + resume);
            return;
        }
        display.say("stopping: finishing the step and saving ...");
        await(ended);
    }

    private static void await(CountDownLatch ended) {
        try {
            ended.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
