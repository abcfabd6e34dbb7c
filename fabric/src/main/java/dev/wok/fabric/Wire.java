package dev.wok.fabric;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Bf16Rows;
import dev.wok.kernel.E4m3Rows;
import dev.wok.kernel.RowSums;
import dev.wok.kernel.WeightedRows;
import dev.wok.tensor.Copies;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Optional;

/// How rows of float32 travel: their bytes one row after the other. A row that no frame would hold is cut into
/// pieces of as many columns.
///
/* The loops go over memory with an int and stay within one width of elements each: as such the compiler turns them into
 * vector instructions (a loop that rounds and narrows in one it does not).
 */
abstract sealed class Wire {
    private static final ValueLayout.OfInt INT = ExchangeLayout.INT;

    private final int width;
    private final int piece;
    private final int pieces;
    private final long rowBytes;
    private final MemorySegment scratch = Arena.ofAuto().allocate(ExchangeLayout.PAYLOAD, ExchangeLayout.HEADER);
    /// A piece as float32.
    final MemorySegment floats;

    /// @param width columns of a row
    /// @param most columns that a frame holds, a multiple of [E4m3Rows#GROUP]
    private Wire(int width, int most) {
        this.width = width;
        this.piece = Math.min(width, most);
        this.pieces = Math.ceilDiv(width, piece);
        this.floats = Arena.ofAuto().allocate((long) piece * Float.BYTES, ExchangeLayout.HEADER);
        this.rowBytes = (long) (pieces - 1) * bytes(piece) + bytes(columnsOf(pieces - 1));
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
    ///
    /// @param past whether past the caches, where there is a way
    abstract void encode(MemorySegment from, long at, int columns, MemorySegment to, long toAt, boolean past);

    /// The other way round.
    ///
    /// @param past whether past the caches, where there is a way
    abstract void decode(MemorySegment from, long at, int columns, MemorySegment to, long toAt, boolean past);

    /// Makes what was written past the caches visible to others before what follows.
    void fence() {}

    final int width() {
        return width;
    }

    /// @return into how many pieces a row is cut
    final int pieces() {
        return pieces;
    }

    /// @return bytes of a row
    final long rowBytes() {
        return rowBytes;
    }

    /// @param position where a message's next piece begins
    /// @return bytes of as many whole pieces as there is room for
    final int fit(long position, long total, int room) {
        if (pieces == 1) {
            return (int) Math.min(room / rowBytes * rowBytes, total - position);
        }
        return unit(position);
    }

    /// @param position where a message's next piece begins
    /// @return bytes of this piece
    final int unit(long position) {
        return bytes(columns(position));
    }

    /// @param position where a message's next piece begins
    /// @return the row of the message that it is of
    final int row(long position) {
        return (int) (position / rowBytes);
    }

    /// @param position where a message's next piece begins
    /// @return its first column, in bytes of float32
    final long column(long position) {
        return pieces == 1 ? 0 : columnOf(piece(position));
    }

    /// @return a piece's first column, in bytes of float32
    final long columnOf(int index) {
        return (long) index * piece * Float.BYTES;
    }

    /// @param position where a message's next piece begins
    /// @return how many columns it has
    final int columns(long position) {
        return pieces == 1 ? width : columnsOf(piece(position));
    }

    private int piece(long position) {
        return (int) (position % rowBytes / bytes(piece));
    }

    /// @return how many columns a piece has
    final int columnsOf(int index) {
        return Math.min(piece, width - index * piece);
    }

    /// Adds some columns as they travel, decoded and times `weight`, to what is there.
    abstract void add(float weight, MemorySegment from, long at, int columns, MemorySegment y, long yAt);

    /// Writes some columns of a sum of rows as they travel.
    ///
    /// @param column the first one, in bytes of float32
    /// @param past whether past the caches, where there is a way
    void encodeSum(
            MemorySegment from,
            WeightedRows rows,
            long column,
            int columns,
            MemorySegment to,
            long toAt,
            boolean past) {
        Code.SUMS.sum(from, column, rows, columns, floats, 0);
        encode(floats, 0, columns, to, toAt, past);
    }

    /// Adds a sum of rows of this rank to another row, rounded like what travels.
    void addSum(MemorySegment from, WeightedRows rows, MemorySegment y, long yAt) {
        for (int index = 0; index < pieces; index++) {
            encodeSum(from, rows, columnOf(index), columnsOf(index), scratch, 0, false);
            add(1, scratch, 0, columnsOf(index), y, yAt + columnOf(index));
        }
    }

    /// Adds a row of this rank to another, rounded like what travels.
    void addOwn(float weight, MemorySegment from, long at, MemorySegment y, long yAt) {
        for (int index = 0; index < pieces; index++) {
            long column = columnOf(index);
            encode(from, at + column, columnsOf(index), scratch, 0, false);
            add(weight, scratch, 0, columnsOf(index), y, yAt + column);
        }
    }

    /// Brings a row from one place to another of this rank, rounded like what travels.
    void carry(MemorySegment from, long at, MemorySegment to, long toAt, boolean past) {
        for (int index = 0; index < pieces; index++) {
            long column = columnOf(index);
            encode(from, at + column, columnsOf(index), scratch, 0, false);
            decode(scratch, 0, columnsOf(index), to, toAt + column, past);
        }
    }

    private static int whole(int bytes) {
        return bytes / E4m3Rows.GROUP * E4m3Rows.GROUP;
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
        void encode(MemorySegment from, long at, int columns, MemorySegment to, long toAt, boolean past) {
            if (columns == 1) {
                to.set(INT, toAt, from.get(INT, at));
            } else {
                Copies.bytes(from, at, to, toAt, (long) columns * Float.BYTES);
            }
        }

        @Override
        void decode(MemorySegment from, long at, int columns, MemorySegment to, long toAt, boolean past) {
            encode(from, at, columns, to, toAt, past);
        }

        @Override
        void carry(MemorySegment from, long at, MemorySegment to, long toAt, boolean past) {
            encode(from, at, width(), to, toAt, past);
        }

        @Override
        void encodeSum(
                MemorySegment from,
                WeightedRows rows,
                long column,
                int columns,
                MemorySegment to,
                long toAt,
                boolean past) {
            Code.SUMS.sum(from, column, rows, columns, to, toAt);
        }

        @Override
        void add(float weight, MemorySegment from, long at, int columns, MemorySegment y, long yAt) {
            Code.SUMS.add(weight, from, at, columns, y, yAt);
        }

        @Override
        void addOwn(float weight, MemorySegment from, long at, MemorySegment y, long yAt) {
            add(weight, from, at, width(), y, yAt);
        }
    }

    /// Machine code for this processor, where there is some, for as long as the process lives.
    static final class Code {
        private static final HostDevice HOST = Device.host(1);
        static final Optional<Bf16Rows> ROWS = Bf16Rows.of(HOST);
        static final E4m3Rows BYTES = E4m3Rows.of(HOST);
        static final RowSums SUMS = RowSums.of(HOST);
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
        void encode(MemorySegment from, long at, int columns, MemorySegment to, long toAt, boolean past) {
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
        void carry(MemorySegment from, long at, MemorySegment to, long toAt, boolean past) {
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
        void decode(MemorySegment from, long at, int columns, MemorySegment to, long toAt, boolean past) {
            for (int i = 0; i < columns; i++) {
                to.set(
                        INT,
                        toAt + (long) Integer.BYTES * i,
                        from.get(ExchangeLayout.SHORT, at + (long) Short.BYTES * i) << 16);
            }
        }

        @Override
        void add(float weight, MemorySegment from, long at, int columns, MemorySegment y, long yAt) {
            Code.SUMS.addBf16(weight, from, at, columns, y, yAt);
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
        void encode(MemorySegment from, long at, int columns, MemorySegment to, long toAt, boolean past) {
            code.narrow(from, at, columns, to, toAt, past);
        }

        @Override
        void decode(MemorySegment from, long at, int columns, MemorySegment to, long toAt, boolean past) {
            code.widen(from, at, columns, to, toAt, past);
        }

        @Override
        void encodeSum(
                MemorySegment from,
                WeightedRows rows,
                long column,
                int columns,
                MemorySegment to,
                long toAt,
                boolean past) {
            if (code.sums(columns)) {
                code.sum(from, column, rows, columns, to, toAt, past);
            } else {
                super.encodeSum(from, rows, column, columns, to, toAt, past);
            }
        }

        @Override
        void carry(MemorySegment from, long at, MemorySegment to, long toAt, boolean past) {
            code.round(from, at, width(), to, toAt, past);
        }

        @Override
        void fence() {
            code.fence();
        }
    }

    /// Before the values of a piece the scales of its groups, see [E4m3Rows].
    private static final class Bytes extends Wire {
        Bytes(int width) {
            super(width, whole(ExchangeLayout.PAYLOAD / 2));
        }

        @Override
        int bytes(int columns) {
            return scales(columns) + columns;
        }

        private static int scales(int columns) {
            return E4m3Rows.groups(columns) * Float.BYTES;
        }

        @Override
        void encode(MemorySegment from, long at, int columns, MemorySegment to, long toAt, boolean past) {
            Code.BYTES.encode(from, at, columns, to, toAt, toAt + scales(columns));
        }

        @Override
        void decode(MemorySegment from, long at, int columns, MemorySegment to, long toAt, boolean past) {
            Code.BYTES.decode(from, at, at + scales(columns), columns, to, toAt);
        }

        @Override
        void add(float weight, MemorySegment from, long at, int columns, MemorySegment y, long yAt) {
            decode(from, at, columns, floats, 0, false);
            Code.SUMS.add(weight, floats, 0, columns, y, yAt);
        }
    }
}
