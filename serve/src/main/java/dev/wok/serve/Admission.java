package dev.wok.serve;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.Optional;
import java.util.function.IntSupplier;
import java.util.function.LongSupplier;

/// How many texts the server takes on: those that the models generate at once, and a queue. More are
/// refused, since they would wait longer than anybody does.
final class Admission {
    private static final int REMEMBERED = 64;
    private static final int LONGEST_RETRY_SECONDS = 60;
    private static final double NANOS = 1e9;

    private final IntSupplier atOnce;
    private final int queue;
    private final LongSupplier clock;
    private final Metrics metrics;

    /// When the last texts ended.
    private final Deque<Long> ended = new ArrayDeque<>();

    private int texts;

    /// @param atOnce how many texts the models generate at once
    /// @param queue how many more are taken on
    /// @param clock nanoseconds from any origin
    Admission(IntSupplier atOnce, int queue, Metrics metrics, LongSupplier clock) {
        this.atOnce = atOnce;
        this.queue = queue;
        this.metrics = metrics;
        this.clock = clock;
    }

    /// @param key of whoever asks, where keys are asked for
    /// @throws Refusal where there are not so many
    Call.Places take(int count, Optional<Key> key) {
        if (count < 1) {
            throw new IllegalArgumentException("places for " + count + " texts");
        }
        long now = clock.getAsLong();
        synchronized (this) {
            int most = most();
            if (count > most) {
                throw Refusal.badRequest(
                        400, "%,d texts are asked for at once; this server takes %,d.".formatted(count, most));
            }
            if (count > most - texts) {
                int seconds = secondsUntilOneEnds(now);
                throw Refusal.tooMuch(
                        "requests",
                        "%,d texts are in progress and in the queue, which is full; try again in %d s."
                                .formatted(texts, seconds),
                        seconds);
            }
            key.ifPresent(k -> k.begin(count, now));
            texts += count;
        }
        return new Taken(count, key, now);
    }

    private int most() {
        return (int) Math.min(Integer.MAX_VALUE, (long) atOnce.getAsInt() + queue);
    }

    /// @return texts in progress, waiting ones included
    synchronized int texts() {
        return texts;
    }

    int atOnce() {
        return atOnce.getAsInt();
    }

    int queue() {
        return queue;
    }

    private int secondsUntilOneEnds(long now) {
        if (ended.isEmpty()) {
            return LONGEST_RETRY_SECONDS / 2;
        }
        double seconds = (now - ended.getFirst()) / NANOS / ended.size();
        return (int) Math.clamp(Math.ceil(seconds), 1, LONGEST_RETRY_SECONDS);
    }

    private synchronized void give(int count, long now) {
        texts -= count;
        for (int i = 0; i < count; i++) {
            ended.addLast(now);
        }
        while (ended.size() > REMEMBERED) {
            ended.removeFirst();
        }
    }

    private final class Taken implements Call.Places {
        private final Optional<Key> key;
        private final long[] last;
        private final boolean[] begun;
        private boolean closed;

        Taken(int count, Optional<Key> key, long now) {
            this.key = key;
            last = new long[count];
            Arrays.fill(last, now);
            begun = new boolean[count];
        }

        @Override
        public void piece(int text) {
            long now = clock.getAsLong();
            double seconds;
            boolean first;
            synchronized (this) {
                seconds = (now - last[text]) / NANOS;
                first = !begun[text];
                last[text] = now;
                begun[text] = true;
            }
            (first ? metrics.firstToken() : metrics.betweenTokens()).add(seconds);
        }

        @Override
        public void used(int promptTokens, int newTokens) {
            key.ifPresent(k -> k.used((long) promptTokens + newTokens, clock.getAsLong()));
        }

        @Override
        public void close() {
            synchronized (this) {
                if (closed) {
                    return;
                }
                closed = true;
            }
            key.ifPresent(k -> k.end(last.length));
            give(last.length, clock.getAsLong());
        }
    }
}
