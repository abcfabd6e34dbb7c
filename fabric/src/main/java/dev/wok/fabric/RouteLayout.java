package dev.wok.fabric;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// The bytes of a message that says where tokens go: for each of some tokens a list of places, which
/// are slots of a rank or ranks of a machine.
///
/// ```
///  0      tokens n
///  4      places m of all of them
///  8      how many each has, a byte: 1 or more
///  8 + n  the places, two bytes each
/// ```
///
/// Numbers are little-endian and have no sign.
final class RouteLayout {
    static final int MOST_CHOICES = 255;
    static final int MOST_PLACES = 1 << Character.SIZE;

    private static final int HEADER = 8;

    private RouteLayout() {}

    static byte[] write(Lists lists) {
        int tokens = lists.count();
        int places = lists.from()[tokens];
        ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(HEADER + tokens + (long) places * Character.BYTES))
                .order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(tokens).putInt(places);
        for (int token = 0; token < tokens; token++) {
            bytes.put((byte) (lists.from()[token + 1] - lists.from()[token]));
        }
        for (int i = 0; i < places; i++) {
            bytes.putChar((char) lists.all()[i]);
        }
        return bytes.array();
    }

    /// @param most how many places a token may have
    /// @param limit places are from 0 to below this
    /// @throws Departed where the bytes are none such
    static Lists read(byte[] message, Peer peer, int most, int limit) {
        ByteBuffer bytes = ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
        int tokens = message.length < HEADER ? -1 : bytes.getInt();
        int places = message.length < HEADER ? -1 : bytes.getInt();
        if (tokens < 0 || places < 0 || HEADER + (long) tokens + (long) places * Character.BYTES != message.length) {
            throw peer.sends("a route of %d bytes for %d tokens with %d places"
                    .formatted(message.length, Math.max(tokens, 0), Math.max(places, 0)));
        }
        int[] from = new int[tokens + 1];
        for (int token = 0; token < tokens; token++) {
            int count = bytes.get() & 0xFF;
            if (count < 1 || count > most) {
                throw peer.sends("a route with %d places of a token, expected 1 to %d".formatted(count, most));
            }
            from[token + 1] = from[token] + count;
        }
        if (from[tokens] != places) {
            throw peer.sends("a route with %d places that says it has %d".formatted(from[tokens], places));
        }
        int[] rows = new int[places];
        for (int i = 0; i < places; i++) {
            rows[i] = bytes.getChar();
            if (rows[i] >= limit) {
                throw peer.sends("a route to place %d of %d".formatted(rows[i], limit));
            }
        }
        return new Lists(from, rows);
    }
}
