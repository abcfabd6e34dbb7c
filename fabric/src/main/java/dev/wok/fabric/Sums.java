package dev.wok.fabric;

import dev.wok.kernel.WeightedRows;
import java.lang.foreign.MemorySegment;

/// Sends rows back to the rank that their tokens are from: as sums of those of a token that belong together and
/// are all here, otherwise one by one.
final class Sums extends Outgoing {
    private final Homeward wires;
    private final Leaving leaving;
    private final WeightedRows sum;
    /// The row that what goes next begins with.
    private int begun;
    /// How many pieces of it have gone.
    private int piece;

    /// @param sum for one
    Sums(Homeward wires, Leaving leaving, WeightedRows sum) {
        super(ExchangeLayout.Kind.COMBINE, wires.bytes(leaving.terms()));
        this.wires = wires;
        this.leaving = leaving;
        this.sum = sum;
    }

    @Override
    int next(int room) {
        int bytes = 0;
        for (int row = begun, index = piece; row < leaving.count(); ) {
            Wire wire = wires.of(leaving.terms()[row]);
            int unit = wire.bytes(wire.columnsOf(index));
            if (unit > room - bytes) {
                break;
            }
            bytes += unit;
            if (++index == wire.pieces()) {
                index = 0;
                row = leaving.end(row);
            }
        }
        return bytes;
    }

    @Override
    void fill(MemorySegment frame, long at, int bytes) {
        for (int done = 0; done < bytes; ) {
            Wire wire = wires.of(leaving.terms()[begun]);
            int columns = wire.columnsOf(piece);
            long column = wire.columnOf(piece);
            if (leaving.isAlone(begun)) {
                wire.encode(leaving.memory(), leaving.at(begun) + column, columns, frame, at + done, isForOthers);
            } else {
                leaving.select(begun, sum, (long) Float.BYTES * wire.width());
                wire.encodeSum(leaving.memory(), sum, column, columns, frame, at + done, isForOthers);
            }
            done += wire.bytes(columns);
            if (++piece == wire.pieces()) {
                piece = 0;
                begun = leaving.end(begun);
            }
        }
        wires.sums().fence();
    }
}
