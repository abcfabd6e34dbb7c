package dev.wok.fabric;

import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// The bytes of a frame, in a ring as on a socket; all lies at multiples of 64, little-endian:
///
/// ```
/// 0                                8                16                 64
/// | length u32 | kind u8, WOK u24  | number i64     | 0                | payload, then up to a multiple of 64
/// ```
///
/// The first word is the mark. In a ring it is written last and read first, and 0 says that nothing has come yet.
/// Numbers count a link's frames of one direction from 0.
final class FrameLayout {
    static final int LINE = 64;
    static final int NUMBER = 8;
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG.withOrder(ByteOrder.LITTLE_ENDIAN);

    /// A frame with a payload.
    static final int DATA = 1;
    /// In a ring: the next frame lies at its beginning.
    static final int WRAP = 2;
    /// Over UCX: its number is that of the frames that have been released.
    static final int RELEASED = 3;
    /// Over UCX: its number is that of the frames that were sent in all.
    static final int LAST = 4;

    private static final long WOK1 = 0x314B4FL;

    private FrameLayout() {}

    static long mark(int kind, int length) {
        return WOK1 << 40 | (long) kind << 32 | length;
    }

    /// @return whether a mark is one of this kind, with a length from 0 to `capacity`
    static boolean is(long mark, int kind, int capacity) {
        return mark >>> 32 == (WOK1 << 8 | kind) && Integer.compareUnsigned((int) mark, capacity) <= 0;
    }

    static int length(long mark) {
        return (int) mark;
    }

    /// @throws IllegalArgumentException where a payload is larger than a link carries
    static void requireRoom(int payload, int capacity) {
        if (payload < 0 || payload > capacity) {
            throw new IllegalArgumentException(
                    "a frame of %d bytes; at most %d are expected".formatted(payload, capacity));
        }
    }

    /// @return bytes of a frame with such a payload
    static int bytes(int payload) {
        return LINE + (payload + LINE - 1 & -LINE);
    }

    /// Looks at the head of a frame that has come.
    ///
    /// @param room the most bytes that it may have
    /// @param came its number, and `number` the one that is due
    /// @throws Departed where it is another, or none
    static void requireNext(Peer peer, long mark, int room, long came, long number) {
        if (!is(mark, DATA, room)) {
            throw peer.sends("a frame with the mark %016x".formatted(mark));
        }
        if (came != number) {
            throw peer.sends("frame %d where frame %d is due".formatted(came, number));
        }
    }
}
