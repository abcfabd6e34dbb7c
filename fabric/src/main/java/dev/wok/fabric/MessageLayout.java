package dev.wok.fabric;

import dev.wok.fabric.Message.Answer;
import dev.wok.fabric.Message.Bye;
import dev.wok.fabric.Message.Challenge;
import dev.wok.fabric.Message.Claims;
import dev.wok.fabric.Message.Hello;
import dev.wok.fabric.Message.Life;
import dev.wok.fabric.Message.Offer;
import dev.wok.fabric.Message.Purpose;
import dev.wok.fabric.Message.Refused;
import dev.wok.fabric.Message.Seat;
import dev.wok.fabric.Message.Table;
import dev.wok.fabric.Message.Way;
import dev.wok.fabric.Message.Welcome;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.BufferUnderflowException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// The bytes of a message, big-endian:
///
/// ```
/// 0         4             6           7     8                12
/// | WOKM    | version u16 | kind u8   | 0   | bytes u32      | the message's fields, one after the other
/// ```
///
/// A text is its bytes in UTF-8 after their number as u16; a number or proof is 32 bytes; a table, seats after their
/// number as i32. The first 12 bytes are the same in every version, so that another one can be named.
final class MessageLayout {
    static final int VERSION = 1;
    static final int HEADER = 12;
    static final int LONGEST = 1 << 16;
    static final int NONCE = 32;

    private static final int MAGIC = 0x574F4B4D;
    private static final int LONGEST_TEXT = 8000;
    private static final int MOST_RANKS = LONGEST / 32;

    /// What came is no message.
    static final class Malformed extends IOException {
        private static final long serialVersionUID = 1;

        Malformed(String message) {
            super(message);
        }
    }

    @FunctionalInterface
    private interface Fields {
        void write(DataOutputStream to) throws IOException;
    }

    private MessageLayout() {}

    static ByteBuffer encode(Message message) {
        byte[] fields = bytes(to -> write(message, to));
        return ByteBuffer.allocate(HEADER + fields.length)
                .putInt(MAGIC)
                .putShort((short) VERSION)
                .put((byte) kind(message))
                .put((byte) 0)
                .putInt(fields.length)
                .put(fields)
                .flip();
    }

    /// @return what a rank claims, as it is proved
    static byte[] encode(Claims claims) {
        return bytes(to -> write(claims, to));
    }

    /// @param header the first bytes
    /// @return how many follow
    static int length(ByteBuffer header) throws Malformed {
        if (header.getInt(0) != MAGIC) {
            throw new Malformed("what it sent is no message of a rank");
        }
        int version = Short.toUnsignedInt(header.getShort(4));
        if (version != VERSION) {
            throw new Malformed(
                    "it speaks version %d of the group's protocol, this is version %d; start all ranks with the same Wok"
                            .formatted(version, VERSION));
        }
        int length = header.getInt(8);
        if (length < 0 || length > LONGEST) {
            throw new Malformed("it sent a message of %s bytes; at most %d are expected"
                    .formatted(Integer.toUnsignedString(length), LONGEST));
        }
        return length;
    }

    /// @param fields all that followed the header
    static Message decode(ByteBuffer header, ByteBuffer fields) throws Malformed {
        Message message;
        try {
            message = read(header.get(6), fields);
        } catch (BufferUnderflowException _) {
            throw new Malformed("it sent a message that ends too soon");
        }
        if (fields.hasRemaining()) {
            throw new Malformed("it sent a message with %d bytes too many".formatted(fields.remaining()));
        }
        return message;
    }

    private static byte[] bytes(Fields fields) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try {
            fields.write(new DataOutputStream(bytes));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private static int kind(Message message) {
        return switch (message) {
            case Challenge _ -> 1;
            case Hello _ -> 2;
            case Welcome _ -> 3;
            case Refused _ -> 4;
            case Table _ -> 5;
            case Offer _ -> 6;
            case Answer _ -> 7;
            case Life _ -> 8;
            case Bye _ -> 9;
        };
    }

    private static void write(Message message, DataOutputStream to) throws IOException {
        switch (message) {
            case Challenge(byte[] nonce) -> to.write(nonce);
            case Hello(Claims claims, byte[] nonce, byte[] proof) -> {
                write(claims, to);
                to.write(nonce);
                to.write(proof);
            }
            case Welcome(byte[] proof) -> to.write(proof);
            case Refused(String why, boolean forNow) -> {
                write(why, to);
                to.writeBoolean(forNow);
            }
            case Table(List<Seat> seats) -> {
                to.writeInt(seats.size());
                for (Seat seat : seats) {
                    write(seat, to);
                }
            }
            case Offer(Way way, String path, int bytes) -> {
                to.writeByte(way.ordinal());
                write(path, to);
                to.writeInt(bytes);
            }
            case Answer(String why) -> write(why, to);
            case Life(String doing, String operation, int waitsFor, long nanos) -> {
                write(doing, to);
                write(operation, to);
                to.writeInt(waitsFor);
                to.writeLong(nanos);
            }
            case Bye(int cause, String why) -> {
                to.writeInt(cause);
                write(why, to);
            }
        }
    }

    private static void write(Claims claims, DataOutputStream to) throws IOException {
        to.writeInt(claims.rank());
        to.writeInt(claims.size());
        to.writeInt(claims.to());
        to.writeByte(claims.purpose().ordinal());
        write(claims.seat(), to);
    }

    private static void write(Seat seat, DataOutputStream to) throws IOException {
        write(seat.machine(), to);
        write(seat.host(), to);
        to.writeLong(seat.pid());
        write(seat.address(), to);
        to.writeInt(seat.port());
    }

    private static void write(String text, DataOutputStream to) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        byte[] kept = bytes.length <= LONGEST_TEXT ? bytes : Arrays.copyOf(bytes, LONGEST_TEXT);
        to.writeShort(kept.length);
        to.write(kept);
    }

    private static Message read(byte kind, ByteBuffer from) throws Malformed {
        return switch (kind) {
            case 1 -> new Challenge(nonce(from));
            case 2 -> new Hello(claims(from), nonce(from), nonce(from));
            case 3 -> new Welcome(nonce(from));
            case 4 -> new Refused(text(from), from.get() != 0);
            case 5 -> table(from);
            case 6 -> new Offer(choice(Way.values(), from), text(from), from.getInt());
            case 7 -> new Answer(text(from));
            case 8 -> new Life(text(from), text(from), from.getInt(), from.getLong());
            case 9 -> new Bye(from.getInt(), text(from));
            default -> throw new Malformed("it sent a message of the unknown kind %d".formatted(kind));
        };
    }

    private static Table table(ByteBuffer from) throws Malformed {
        int size = from.getInt();
        if (size < 1 || size > MOST_RANKS) {
            throw new Malformed("it sent a table of %d ranks; 1 to %d are expected".formatted(size, MOST_RANKS));
        }
        return new Table(IntStream.range(0, size).mapToObj(_ -> seat(from)).toList());
    }

    private static Claims claims(ByteBuffer from) throws Malformed {
        return new Claims(from.getInt(), from.getInt(), from.getInt(), choice(Purpose.values(), from), seat(from));
    }

    private static Seat seat(ByteBuffer from) {
        return new Seat(text(from), text(from), from.getLong(), text(from), from.getInt());
    }

    private static <T> T choice(T[] values, ByteBuffer from) throws Malformed {
        int place = Byte.toUnsignedInt(from.get());
        if (place >= values.length) {
            throw new Malformed("it sent choice %d of %d".formatted(place, values.length));
        }
        return values[place];
    }

    private static byte[] nonce(ByteBuffer from) {
        byte[] nonce = new byte[NONCE];
        from.get(nonce);
        return nonce;
    }

    private static String text(ByteBuffer from) {
        int bytes = Short.toUnsignedInt(from.getShort());
        if (bytes > from.remaining()) {
            throw new BufferUnderflowException();
        }
        String text = StandardCharsets.UTF_8
                .decode(from.slice(from.position(), bytes))
                .toString();
        from.position(from.position() + bytes);
        return text;
    }
}
