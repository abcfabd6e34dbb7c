package dev.wok.train;

import dev.wok.notice.BadInput;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/// Whether a rank has its share of the model. It travels as version, int, place of the kind in the list of kinds, int,
/// and text in UTF-8.
///
/// @param reason why it has not, empty where it has
record Readiness(Kind kind, String reason) {
    private static final int VERSION = 1;

    enum Kind {
        READY,
        /// What it was given does not do.
        REFUSED,
        FAILED
    }

    static Readiness ready() {
        return new Readiness(Kind.READY, "");
    }

    static Readiness not(Throwable reason) {
        return reason instanceof BadInput
                ? new Readiness(Kind.REFUSED, String.valueOf(reason.getMessage()))
                : new Readiness(Kind.FAILED, reason.toString());
    }

    byte[] bytes() {
        byte[] text = reason.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(2 * Integer.BYTES + text.length)
                .putInt(VERSION)
                .putInt(kind.ordinal())
                .put(text)
                .array();
    }

    /// @throws IllegalArgumentException where it is none: it says why
    static Readiness of(byte[] bytes) {
        if (bytes.length < 2 * Integer.BYTES) {
            throw new IllegalArgumentException("%d bytes".formatted(bytes.length));
        }
        ByteBuffer buffer = ByteBuffer.wrap(bytes);
        int version = buffer.getInt();
        int kind = buffer.getInt();
        if (version != VERSION || kind < 0 || kind >= Kind.values().length) {
            throw new IllegalArgumentException("version %d, kind %d".formatted(version, kind));
        }
        return new Readiness(
                Kind.values()[kind], StandardCharsets.UTF_8.decode(buffer).toString());
    }
}
