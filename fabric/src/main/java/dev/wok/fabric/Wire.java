package dev.wok.fabric;

import dev.wok.device.Device;
import dev.wok.kernel.Bf16Rows;
import dev.wok.tensor.Copies;
import dev.wok.tensor.E4m3;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.util.Optional;

/// How rows of float32 travel: their bytes one row after the other. A row that no frame would hold is cut into
/// pieces of as many columns.
///
/* The loops go over memory with an int and stay within one width of elements each: as such the compiler turns them into
 * vector instructions (a loop that rounds and narrows in one it does not).
 */
abstract sealed class Wire {
    static final int GROUP = 128;

    private static final ValueLayout.OfInt INT = ExchangeLayout.INT;
    private static final ValueLayout.OfFloat FLOAT =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    private final int width;
    private final int piece;
    private final int pieces;
    private final MemorySegment scratch = Arena.ofAuto().allocate(ExchangeLayout.PAYLOAD, ExchangeLayout.HEADER);

    /// @param width columns of a row
    /// @param most columns that a frame holds, a multiple of [#GROUP]
    private Wire(int width, int most) {
        this.width = width;
        this.piece = Math.min(width, most);
        this.pieces = Math.ceilDiv(width, piece);
    }

    static Wire of(Exchange.Payload payload, int width) {
        return switch (payload) {
            case F32 -> new Floats(width);
            case BF16 ->
                Code.ROWS.<Wire>map(rows -> new CodedHalves(width, rows)).orElseGet(() -> new Halves(width));
            case FP8 -> new Bytes(width);
        };
    }

    /// @param columns of a piece
    abstract int bytes(int columns);

    /// Writes some columns as they travel.
    abstract void encode(MemorySegment from, long at, int columns, MemorySegment to, long toAt);

    /// The other way round.
    abstract void decode(MemorySegment from, long at, int columns, MemorySegment to, long toAt);

    final int width() {
        return width;
    }

    /// @return bytes of a row
    final long rowBytes() {
        return (long) (pieces - 1) * bytes(piece) + bytes(columns(pieces - 1));
    }

    /// @param position where a message's next piece begins
    /// @return bytes of as many whole pieces as there is room for
    final int fit(long position, long total, int room) {
        if (pieces == 1) {
            int unit = bytes(width);
            return (int) Math.min(room / unit * (long) unit, total - position);
        }
        return unit(position);
    }

    /// @param position where a message's next piece begins
    /// @return bytes of this piece
    final int unit(long position) {
        return bytes(columns(pieces == 1 ? 0 : pieceAt(position)));
    }

    private int columns(int index) {
        return Math.min(piece, width - index * piece);
    }

    private int pieceAt(long position) {
        return (int) (position % rowBytes() / bytes(piece));
    }

    /// Goes through the pieces of a frame.
    ///
    /// @param position of the frame's first byte in its message
    /// @return whether the frame ends where a piece does
    final boolean pieces(long position, int bytes, Piece each) {
        long row = position / rowBytes();
        int index = pieces == 1 ? 0 : pieceAt(position);
        int done = 0;
        while (done < bytes) {
            int columns = columns(index);
            int size = bytes(columns);
            if (size > bytes - done) {
                return false;
            }
            each.at(Math.toIntExact(row), (long) index * piece * Float.BYTES, columns, done);
            done += size;
            if (++index == pieces) {
                index = 0;
                row++;
            }
        }
        return true;
    }

    /// Some columns of a row.
    @FunctionalInterface
    interface Piece {
        /// @param row of the message
        /// @param column in bytes of float32
        /// @param columns how many
        /// @param at where they are in the frame's payload
        void at(int row, long column, int columns, int at);
    }

    /// Brings a row from one place to another of this rank, rounded like what travels.
    void carry(MemorySegment from, long at, MemorySegment to, long toAt) {
        for (int index = 0; index < pieces; index++) {
            long column = (long) index * piece * Float.BYTES;
            encode(from, at + column, columns(index), scratch, 0);
            decode(scratch, 0, columns(index), to, toAt + column);
        }
    }

    private static int whole(int bytes) {
        return bytes / GROUP * GROUP;
    }

    private static final class Floats extends Wire {
        Floats(int width) {
            super(width, whole(ExchangeLayout.PAYLOAD / Float.BYTES));
        }

        @Override
        int bytes(int columns) {
            return columns * Float.BYTES;
        }

        @Override
        void encode(MemorySegment from, long at, int columns, MemorySegment to, long toAt) {
            if (columns == 1) {
                to.set(INT, toAt, from.get(INT, at));
            } else {
                Copies.bytes(from, at, to, toAt, (long) columns * Float.BYTES);
            }
        }

        @Override
        void decode(MemorySegment from, long at, int columns, MemorySegment to, long toAt) {
            encode(from, at, columns, to, toAt);
        }

        @Override
        void carry(MemorySegment from, long at, MemorySegment to, long toAt) {
            encode(from, at, width(), to, toAt);
        }
    }

    /// Machine code for this processor, where there is some, for as long as the process lives.
    private static final class Code {
        static final Optional<Bf16Rows> ROWS = Bf16Rows.of(Device.host(1));
    }

    private static sealed class Halves extends Wire {
        private static final int BLOCK = 1024;
        private static final int INFINITY = 0x7f800000;
        private static final int QUIET = 0x400000;

        private final int[] rounded = new int[BLOCK];

        Halves(int width) {
            super(width, whole(ExchangeLayout.PAYLOAD / Short.BYTES));
        }

        @Override
        int bytes(int columns) {
            return columns * Short.BYTES;
        }

        @Override
        void encode(MemorySegment from, long at, int columns, MemorySegment to, long toAt) {
            for (int first = 0; first < columns; first += BLOCK) {
                int count = Math.min(BLOCK, columns - first);
                round(from, at + (long) first * Float.BYTES, count);
                narrow(count, to, toAt + (long) first * Short.BYTES);
            }
        }

        private void round(MemorySegment from, long at, int count) {
            for (int i = 0; i < count; i++) {
                rounded[i] = rounded(from.get(INT, at + (long) Integer.BYTES * i)) >>> Short.SIZE;
            }
        }

        /// As [dev.wok.tensor.Bf16#bits(float)], without branches.
        ///
        /// @return bits of float32: the lower half means nothing
        private static int rounded(int bits) {
            int isNaN = INFINITY - (bits & Integer.MAX_VALUE) >> Integer.SIZE - 1;
            int nearest = bits + 0x7fff + (bits >>> Short.SIZE & 1);
            return nearest & ~isNaN | (bits | QUIET) & isNaN;
        }

        @Override
        void carry(MemorySegment from, long at, MemorySegment to, long toAt) {
            for (int first = 0; first < width(); first += BLOCK) {
                int count = Math.min(BLOCK, width() - first);
                round(from, at + (long) first * Float.BYTES, count);
                widen(count, to, toAt + (long) first * Float.BYTES);
            }
        }

        private void widen(int count, MemorySegment to, long toAt) {
            for (int i = 0; i < count; i++) {
                to.set(INT, toAt + (long) Integer.BYTES * i, rounded[i] << Short.SIZE);
            }
        }

        private void narrow(int count, MemorySegment to, long toAt) {
            for (int i = 0; i < count; i++) {
                to.set(ExchangeLayout.SHORT, toAt + (long) Short.BYTES * i, (short) rounded[i]);
            }
        }

        @Override
        void decode(MemorySegment from, long at, int columns, MemorySegment to, long toAt) {
            for (int i = 0; i < columns; i++) {
                to.set(
                        INT,
                        toAt + (long) Integer.BYTES * i,
                        from.get(ExchangeLayout.SHORT, at + (long) Short.BYTES * i) << 16);
            }
        }
    }

    /// The same bits in machine code.
    private static final class CodedHalves extends Halves {
        private final Bf16Rows code;

        CodedHalves(int width, Bf16Rows code) {
            super(width);
            this.code = code;
        }

        @Override
        void encode(MemorySegment from, long at, int columns, MemorySegment to, long toAt) {
            code.narrow(from, at, columns, to, toAt);
        }

        @Override
        void decode(MemorySegment from, long at, int columns, MemorySegment to, long toAt) {
            code.widen(from, at, columns, to, toAt);
        }

        @Override
        void carry(MemorySegment from, long at, MemorySegment to, long toAt) {
            code.round(from, at, width(), to, toAt);
        }
    }

    /// Before the values of a piece the scales of its groups. A group's scale is its largest magnitude over 448; of one
    /// that holds NaN or an infinity it is NaN.
    private static final class Bytes extends Wire {
        private static final float LEAST = Float.MIN_NORMAL;

        Bytes(int width) {
            super(width, whole(ExchangeLayout.PAYLOAD / 2));
        }

        @Override
        int bytes(int columns) {
            return columns + Math.ceilDiv(columns, GROUP) * Float.BYTES;
        }

        @Override
        void encode(MemorySegment from, long at, int columns, MemorySegment to, long toAt) {
            int scales = Math.ceilDiv(columns, GROUP) * Float.BYTES;
            for (int group = 0, first = 0; first < columns; group++, first += GROUP) {
                int count = Math.min(GROUP, columns - first);
                long source = at + (long) first * Float.BYTES;
                float scale = scale(from, source, count);
                to.set(FLOAT, toAt + (long) group * Float.BYTES, scale);
                for (int i = 0; i < count; i++) {
                    float value = from.get(FLOAT, source + (long) Float.BYTES * i) / scale;
                    to.set(ValueLayout.JAVA_BYTE, toAt + scales + first + i, E4m3.bits(value));
                }
            }
        }

        private static float scale(MemorySegment from, long at, int count) {
            float greatest = 0;
            float spoiled = 0;
            for (int i = 0; i < count; i++) {
                float value = from.get(FLOAT, at + (long) Float.BYTES * i);
                greatest = Math.max(greatest, Math.abs(value));
                spoiled += value * 0;
            }
            return Math.max(greatest / E4m3.MAX, LEAST) + spoiled;
        }

        @Override
        void decode(MemorySegment from, long at, int columns, MemorySegment to, long toAt) {
            int scales = Math.ceilDiv(columns, GROUP) * Float.BYTES;
            for (int group = 0, first = 0; first < columns; group++, first += GROUP) {
                int count = Math.min(GROUP, columns - first);
                float scale = from.get(FLOAT, at + (long) group * Float.BYTES);
                long values = at + scales + first;
                long target = toAt + (long) first * Float.BYTES;
                for (int i = 0; i < count; i++) {
                    float value = E4m3.value(from.get(ValueLayout.JAVA_BYTE, values + i));
                    to.set(FLOAT, target + (long) Float.BYTES * i, value * scale);
                }
            }
        }
    }
}
