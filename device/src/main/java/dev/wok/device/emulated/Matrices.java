package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import dev.wok.device.emulated.Listing.Space;
import org.jspecify.annotations.Nullable;

/// `ldmatrix stmatrix movmatrix`: matrices of 8 rows of 8 numbers of 16 bits, spread over a warp. Lane `l` holds the
/// numbers `2 * (l % 4)` and the next of row `l / 4`; transposed, those of column `l / 4`.
final class Matrices {
    private static final int ROW_BYTES = 16;

    private Matrices() {}

    static @Nullable Step decode(Call call) {
        call.need("sync");
        call.need("aligned");
        call.need("m8n8");
        String opcode = call.statement.opcode();
        if (opcode.equals("movmatrix")) {
            call.need("trans");
            call.type(Type.B16);
            return move(call);
        }
        int count = switch (call.need("x1", "x2", "x4")) {
            case "x1" -> 1;
            case "x2" -> 2;
            default -> 4;
        };
        boolean isTransposed = call.take("trans");
        Space named = Moves.space(call);
        Space space = named == null ? Space.GENERIC : named;
        call.type(Type.B16);
        call.count(2);
        boolean isStore = opcode.equals("stmatrix");
        Call.Place place = call.place(isStore ? 0 : 1, space);
        return isStore
                ? store(place, space, call.readVector(1, Type.B32, count, false), isTransposed)
                : load(place, space, call.writeVector(0, Type.B32, count, false), isTransposed);
    }

    private interface OnRow {
        /// @param lane whose address it is
        void run(int matrix, int row, int lane);
    }

    /// Resolves the address of each row in turn.
    private static void forEachRow(Warp warp, int lanes, Call.Place place, Space space, int count, OnRow action) {
        Banks banks = warp.block.grid.banks;
        for (int matrix = 0; matrix < count; matrix++) {
            banks.begin();
            for (int row = 0; row < 8; row++) {
                int lane = matrix * 8 + row;
                if ((lanes >>> lane & 1) == 0) {
                    throw warp.fault(
                            Kind.DIVERGED, lanes, "load a row whose address lane %d should give".formatted(lane));
                }
                warp.resolve(place.at(warp, lane), ROW_BYTES, space, lane);
                Accesses.requireShared(warp, 1 << lane, warp.region);
                banks.add(warp, lane);
                action.run(matrix, row, lane);
            }
            banks.end(warp, ROW_BYTES);
        }
    }

    private static Step load(Call.Place place, Space space, int[] to, boolean isTransposed) {
        return (warp, lanes) -> {
            if (!warp.allTogether(lanes)) {
                return;
            }
            long[][] results = new long[to.length][Warp.LANES];
            forEachRow(warp, lanes, place, space, to.length, (matrix, row, lane) -> {
                warp.touch(ROW_BYTES, 0, lane);
                for (int column = 0; column < 8; column++) {
                    long value = warp.region.get(warp.offset + 2 * column, 2);
                    int r = isTransposed ? column : row;
                    int c = isTransposed ? row : column;
                    results[matrix][r * 4 + c / 2] |= value << 16 * (c & 1);
                }
            });
            for (int i = 0; i < to.length; i++) {
                System.arraycopy(results[i], 0, warp.registers, to[i] << 5, Warp.LANES);
            }
        };
    }

    private static Step store(Call.Place place, Space space, Value[] from, boolean isTransposed) {
        return (warp, lanes) -> {
            if (!warp.allTogether(lanes)) {
                return;
            }
            forEachRow(warp, lanes, place, space, from.length, (matrix, row, lane) -> {
                warp.touch(ROW_BYTES, Races.WRITE, lane);
                for (int column = 0; column < 8; column++) {
                    int r = isTransposed ? column : row;
                    int c = isTransposed ? row : column;
                    long pair = from[matrix].at(warp, r * 4 + c / 2);
                    warp.region.set(warp.offset + 2 * column, 2, pair >>> 16 * (c & 1));
                }
            });
        };
    }

    private static Step move(Call call) {
        call.count(2);
        int to = call.write(0, Type.B32);
        Value from = call.read(1, Type.B32);
        return (warp, lanes) -> {
            if (!warp.allTogether(lanes)) {
                return;
            }
            long[] result = new long[Warp.LANES];
            for (int row = 0; row < 8; row++) {
                for (int column = 0; column < 8; column++) {
                    long value = from.at(warp, row * 4 + column / 2) >>> 16 * (column & 1) & 0xFFFF;
                    result[column * 4 + row / 2] |= value << 16 * (row & 1);
                }
            }
            System.arraycopy(result, 0, warp.registers, to << 5, Warp.LANES);
        };
    }
}
