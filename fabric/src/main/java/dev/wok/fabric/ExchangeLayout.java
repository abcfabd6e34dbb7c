package dev.wok.fabric;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// The bytes of a frame of the exchange. A message is one operation's bytes from one rank to another; it travels
/// as one frame or several.
///
/// ```
///  0  version
///  1  kind
///  2  zeros
///  4  number of the message, counted on this way between two ranks, moves apart from all others
///  8  bytes of this frame's payload
/// 12  zeros
/// 16  bytes of the message that went before
/// 24  bytes of the message
/// 32  nothing
/// 64  payload
/// ```
///
/// Numbers are little-endian.
final class ExchangeLayout {
    /// What a message is part of. Its code is its place here.
    enum Kind {
        BARRIER("barrier"),
        BROADCAST("broadcast"),
        GATHER("gather"),
        SUM("sum"),
        POINT("send"),
        ROUTE("route"),
        RELAY("route by machine"),
        DISPATCH("dispatch"),
        COMBINE("combine"),
        COMBINE_SCALARS("combine of scalars"),
        BLOCK("block of a GPU"),

        /// In no hurry: numbered apart from all others, which overtake it.
        MOVE("move");

        private final String text;

        Kind(String text) {
            this.text = text;
        }

        @Override
        public String toString() {
            return text;
        }
    }

    static final int VERSION = 3;
    static final int HEADER = 64;

    /// The largest payload that fits every link's frame.
    static final int PAYLOAD = 63 << 10;

    static final ValueLayout.OfShort SHORT = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    static final ValueLayout.OfLong LONG = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private static final Kind[] KINDS = Kind.values();
    private static final int NUMBER = 4;
    private static final int BYTES = 8;
    private static final int BEFORE = 16;
    private static final int TOTAL = 24;

    private ExchangeLayout() {}

    static void write(MemorySegment frame, Kind kind, int number, int bytes, long before, long total) {
        frame.set(INT, 0, VERSION | kind.ordinal() << Byte.SIZE);
        frame.set(INT, NUMBER, number);
        frame.set(LONG, BYTES, bytes);
        frame.set(LONG, BEFORE, before);
        frame.set(LONG, TOTAL, total);
    }

    /// Refuses a frame that is not the next of a message.
    ///
    /// @return bytes of its payload
    /// @throws Departed that says what came and what was expected
    static int check(MemorySegment frame, Peer peer, Kind kind, int number, long before) {
        if (frame.byteSize() < HEADER) {
            throw peer.sends("a frame of %d bytes, too few for a header".formatted(frame.byteSize()));
        }
        int head = frame.get(INT, 0);
        if ((head & 0xFF) != VERSION) {
            throw peer.sends("a frame of version %d; this rank speaks version %d".formatted(head & 0xFF, VERSION));
        }
        if (head >>> Byte.SIZE != kind.ordinal()) {
            throw peer.sends("a %s where this rank expects a %s".formatted(kind(head >>> Byte.SIZE), kind));
        }
        if (frame.get(INT, NUMBER) != number || frame.get(LONG, BEFORE) != before) {
            throw peer.sends("message %d from byte %d of a %s, where message %d from byte %d is next"
                    .formatted(frame.get(INT, NUMBER), frame.get(LONG, BEFORE), kind, number, before));
        }
        long bytes = frame.get(LONG, BYTES);
        if (bytes != frame.byteSize() - HEADER || total(frame) < before + bytes) {
            throw peer.sends("%d bytes of a %s that say they are %d of %d"
                    .formatted(frame.byteSize() - HEADER, kind, bytes, total(frame)));
        }
        return (int) bytes;
    }

    /// @return whether this is of a message in no hurry
    static boolean isBehind(MemorySegment frame) {
        return frame.byteSize() >= HEADER && frame.get(INT, 0) >>> Byte.SIZE == Kind.MOVE.ordinal();
    }

    /// @return bytes of the message
    static long total(MemorySegment frame) {
        return frame.get(LONG, TOTAL);
    }

    private static String kind(int code) {
        return code >= 0 && code < KINDS.length ? KINDS[code].toString() : "message of unknown kind " + code;
    }
}
