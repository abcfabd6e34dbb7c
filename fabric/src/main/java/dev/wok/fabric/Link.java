package dev.wok.fabric;

import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// Frames between this rank and one other, each way in order, none lost. Nothing blocks: who waits calls [#progress]
/// in between. One thread at a time.
///
/// A frame is at most [#capacity] bytes, begins at a multiple of 64 in memory, and what it holds is the exchange's.
interface Link extends AutoCloseable {
    int peer();

    /// @return the largest frame, in bytes: 64 KiB or more
    int capacity();

    /// @return whether the other rank reads frames from the memory that this one writes them to
    default boolean isMemory() {
        return false;
    }

    /// Room for the next frame, to be filled and sent.
    ///
    /// @return at least so many bytes; null where there is no room yet
    @Nullable
    MemorySegment reserve(int bytes);

    /// Sends what was reserved.
    ///
    /// @param bytes how many of them: at most what was reserved
    void send(int bytes);

    /// @return whether so little of what was sent is still under way that what is in no hurry may
    ///     follow
    boolean hasSpare();

    /// @return the next frame that has come, as it was sent; null where there is none. The same one until [#release]
    @Nullable
    MemorySegment receive();

    /// Gives the frame that [#receive] returned back.
    void release();

    /// Moves bytes where that needs this rank's doing.
    ///
    /// @throws Departed where the other rank has gone, or sends what cannot be
    void progress();

    @Override
    void close();
}
