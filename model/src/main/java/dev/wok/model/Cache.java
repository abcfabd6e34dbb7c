package dev.wok.model;

import java.util.stream.IntStream;

/// What one sequence's tokens leave behind for those that follow: pages of its own ([CachePages]), in their order. Made
/// by [Model#cache], filled by [Model#extend(Cache, int...)]. One thread at a time.
public final class Cache implements AutoCloseable {
    private final CachePages pages;
    private final int[] table;
    private final int capacity;
    private int length;

    /// @param pages enough for the capacity; closed with this
    Cache(CachePages pages, int capacity) {
        this.pages = pages;
        this.capacity = capacity;
        table = IntStream.range(0, pages.pages()).toArray();
    }

    /// @return how many tokens it can hold
    public int capacity() {
        return capacity;
    }

    /// @return how many tokens it holds
    public int length() {
        return length;
    }

    /// @return the bytes that it takes, however many tokens it holds
    public long bytes() {
        return pages.bytes();
    }

    /// Forgets all tokens from an index on.
    ///
    /// @param newLength at most [#length]
    public void truncate(int newLength) {
        if (newLength < 0 || newLength > length) {
            throw new IllegalArgumentException("a cache of %d tokens cannot be cut to %d".formatted(length, newLength));
        }
        length = newLength;
    }

    CachePages pages() {
        return pages;
    }

    Chunk chunk(int[] ids, int logits) {
        return new Chunk(table, length, ids, logits);
    }

    void grow(int tokens) {
        length += tokens;
    }

    @Override
    public void close() {
        pages.close();
    }
}
