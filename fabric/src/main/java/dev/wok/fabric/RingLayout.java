package dev.wok.fabric;

/// The bytes of a ring, in which one rank writes frames ([FrameLayout]) and another reads them, little-endian:
///
/// ```
/// 0     version i64          | bytes of frames i64
/// 128   consumed i64:        the reader's: bytes of frames that it is done with, ever growing
/// 256   closed i64:          the writer's: 1 where no frame will come any more
/// 4096  frames, around and around; none crosses the end
/// ```
///
/// Writer and reader have cache lines of their own, two apart because processors fetch them in pairs.
/// The reader knows of a frame by its mark alone, so a short one costs it two lines. Before the writer
/// marks a frame, it clears where the next mark will be: what lies there is an old payload.
///
/// @param bytes of frames: a power of two
record RingLayout(int bytes) {
    static final long VERSION = 1;
    static final long CONSUMED = 128;
    static final long CLOSED = 256;
    static final long FRAMES = 4096;

    private static final int LEAST = 1 << 19;
    private static final int MOST = 1 << 30;

    RingLayout {
        if (bytes < LEAST || bytes > MOST || Integer.bitCount(bytes) != 1) {
            throw new IllegalArgumentException(
                    "a ring of %d bytes; a power of two from %d to %d is expected".formatted(bytes, LEAST, MOST));
        }
    }

    /// @return bytes of the ring with all that is around it
    long total() {
        return FRAMES + bytes;
    }

    /// @return the largest payload: with a quarter, it finds room in an empty ring wherever that stands
    int capacity() {
        return bytes / 4 - FrameLayout.LINE;
    }
}
