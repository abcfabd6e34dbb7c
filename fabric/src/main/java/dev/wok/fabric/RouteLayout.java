package dev.wok.fabric;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;

/// The bytes of a message that says where tokens go: for each of some tokens a list of places, which
/// are slots of a rank or ranks of a machine.
///
/// ```
///  0           tokens n
///  4           places m of all of them
///  8           how many each has, a byte: 1 or more
///  8 + n       the places, two bytes each
///  8 + n + 2m  of slots what becomes of their rows, a byte each: [Terms]
///  8 + n + 3m  and their weights, float32
/// ```
///
/// Numbers are little-endian and have no sign, but for weights.
final class RouteLayout {
    static final int MOST_CHOICES = 255;
    static final int MOST_PLACES = 1 << Character.SIZE;

    private static final int HEADER = 8;

    private RouteLayout() {}

    private static final int TERM_AND_WEIGHT = 1 + Float.BYTES;

    /// @param lists ranks of a machine
    static byte[] write(Lists lists) {
        return begin(lists, 0).array();
    }

    static byte[] write(Visits visits) {
        ByteBuffer bytes = begin(visits.slots(), TERM_AND_WEIGHT);
        bytes.put(visits.terms());
        for (float weight : visits.weights()) {
            bytes.putFloat(weight);
        }
        return bytes.array();
    }

    private static ByteBuffer begin(Lists lists, int more) {
        int tokens = lists.count();
        int places = lists.from()[tokens];
        long size = HEADER + tokens + (long) places * (Character.BYTES + more);
        ByteBuffer bytes = ByteBuffer.allocate(Math.toIntExact(size)).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putInt(tokens).putInt(places);
        for (int token = 0; token < tokens; token++) {
            bytes.put((byte) (lists.from()[token + 1] - lists.from()[token]));
        }
        for (int i = 0; i < places; i++) {
            bytes.putChar((char) lists.all()[i]);
        }
        return bytes;
    }

    /// @param most how many places a token may have
    /// @param limit places are from 0 to below this
    /// @throws Departed where the bytes are none such
    static Lists read(byte[] message, Peer peer, int most, int limit) {
        return read(wrap(message), 0, peer, most, limit);
    }

    /// @param most how many slots a token may have
    /// @param limit slots are from 0 to below this
    /// @throws Departed where the bytes are none such
    static Visits readVisits(byte[] message, Peer peer, int most, int limit) {
        ByteBuffer bytes = wrap(message);
        Lists slots = read(bytes, TERM_AND_WEIGHT, peer, most, limit);
        byte[] terms = new byte[slots.all().length];
        bytes.get(terms);
        requireTerms(slots, terms, peer);
        float[] weights = new float[terms.length];
        bytes.asFloatBuffer().get(weights);
        return new Visits(slots, terms, weights);
    }

    private static void requireTerms(Lists slots, byte[] terms, Peer peer) {
        for (int token = 0; token < slots.count(); token++) {
            boolean sums = false;
            for (int i = slots.from()[token]; i < slots.from()[token + 1]; i++) {
                if (terms[i] < Terms.BEGINS || terms[i] > Terms.ALONE_TOO || (terms[i] == Terms.JOINS && !sums)) {
                    throw peer.sends("a route with code %d for what becomes of a row".formatted(terms[i]));
                }
                sums = !Terms.isAlone(terms[i]);
            }
        }
    }

    private static ByteBuffer wrap(byte[] message) {
        return ByteBuffer.wrap(message).order(ByteOrder.LITTLE_ENDIAN);
    }

    /// @param more bytes that follow for each place
    private static Lists read(ByteBuffer bytes, int more, Peer peer, int most, int limit) {
        int size = bytes.remaining();
        int tokens = size < HEADER ? -1 : bytes.getInt();
        int places = size < HEADER ? -1 : bytes.getInt();
        if (tokens < 0 || places < 0 || HEADER + (long) tokens + (long) places * (Character.BYTES + more) != size) {
            throw peer.sends("a route of %d bytes for %d tokens with %d places"
                    .formatted(size, Math.max(tokens, 0), Math.max(places, 0)));
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
        int[] all = new int[places];
        for (int i = 0; i < places; i++) {
            all[i] = bytes.getChar();
            if (all[i] >= limit) {
                throw peer.sends("a route to place %d of %d".formatted(all[i], limit));
            }
        }
        return new Lists(from, all);
    }
}
