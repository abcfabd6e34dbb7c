package dev.wok.text;

import java.util.ArrayDeque;
import java.util.Iterator;
import java.util.Queue;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;
import java.util.function.Function;

/// Work on several threads whose results arrive in the order of the items, whatever the number of threads.
final class InOrder {
    private InOrder() {}

    /// @param items drawn on the calling thread
    /// @param ahead how many items may be under way or waiting for an earlier one
    /// @param work done on the threads
    /// @param sink called on the calling thread, item after item
    static <T, R> void map(Iterator<T> items, int threads, int ahead, Function<T, R> work, Consumer<R> sink) {
        ExecutorService pool = Executors.newFixedThreadPool(
                threads, Thread.ofPlatform().name("wok-text-", 0).daemon().factory());
        Queue<Future<R>> underWay = new ArrayDeque<>();
        try {
            while (items.hasNext()) {
                T item = items.next();
                underWay.add(pool.submit(() -> work.apply(item)));
                while (underWay.size() >= ahead
                        || !underWay.isEmpty() && underWay.element().isDone()) {
                    sink.accept(result(underWay.remove()));
                }
            }
            while (!underWay.isEmpty()) {
                sink.accept(result(underWay.remove()));
            }
        } finally {
            underWay.forEach(future -> future.cancel(true));
            pool.shutdownNow();
        }
    }

    private static <R> R result(Future<R> future) {
        try {
            return future.get();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IllegalStateException("interrupted while work on text was under way", e);
        } catch (ExecutionException e) {
            switch (e.getCause()) {
                case RuntimeException thrown -> throw thrown;
                case Error thrown -> throw thrown;
                case null, default -> throw new IllegalStateException(e);
            }
        }
    }
}
