package dev.wok.fabric;

import java.lang.foreign.MemorySegment;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// A link that counts the payload that is sent through it.
record CountingLink(Link link, AtomicLong payload) implements Link {
    @Override
    public int peer() {
        return link.peer();
    }

    @Override
    public int capacity() {
        return link.capacity();
    }

    @Override
    public @Nullable MemorySegment reserve(int bytes) {
        return link.reserve(bytes);
    }

    @Override
    public void send(int bytes) {
        payload.addAndGet(bytes - ExchangeLayout.HEADER);
        link.send(bytes);
    }

    @Override
    public boolean hasSpare() {
        return link.hasSpare();
    }

    @Override
    public @Nullable MemorySegment receive() {
        return link.receive();
    }

    @Override
    public void release() {
        link.release();
    }

    @Override
    public void progress() {
        link.progress();
    }

    @Override
    public void close() {
        link.close();
    }
}
