package dev.wok.fabric;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Rows that come home from all ranks, added to their tokens in the order of the tokens' choices.
///
/* Each rank sends its rows in the order of the slots that they are for, so there is nothing to store: the row that is
 * due is the next of the rank that has it, or the next of this rank's own. A frame whose next row is not due stays
 * where it is.
 *
 * Nobody waits in a circle. A rank sends whenever its own ring has room, whatever else it waits for. The ring from the
 * rank whose row is due holds nothing before that row: earlier operations have been read (they are older here as there),
 * and earlier rows of this one have been added. So that row comes, and after it the next.
 */
final class Merge {
    private final Wire wire;
    private final int rank;
    private final int topK;
    /// Of each slot the rank that its row comes from.
    private final int[] ranks;
    private final Rows.Place own;
    private final int[] ownRows;

    private Rows.@Nullable Place y;
    private float @Nullable [] weights;
    private int slot;
    private int ownNext;

    /// @param rank this one
    /// @param own where this rank's own rows are, and `ownRows` which, in the order of their slots
    Merge(Wire wire, int rank, int topK, int[] ranks, Rows.Place own, int[] ownRows) {
        this.wire = wire;
        this.rank = rank;
        this.topK = topK;
        this.ranks = ranks;
        this.own = own;
        this.ownRows = ownRows;
    }

    /// Says what is added to.
    ///
    /// @param factors of the slots, or null for ones
    void to(Rows.Place tokens, float @Nullable [] factors) {
        y = tokens;
        weights = factors;
    }

    boolean isReady() {
        return y != null;
    }

    /// Adds rows of this rank that are due.
    ///
    /// @param most how many at once
    /// @return whether there was one
    boolean own(int most) {
        Rows.Place tokens = y;
        int end = ownNext + most;
        boolean some = false;
        while (tokens != null && ownNext < end && isDue(rank)) {
            long from = own.at(ownRows[ownNext++]);
            wire.addOwn(weight(), own.memory(), from, tokens.memory(), tokens.at(slot / topK));
            slot++;
            some = true;
        }
        return some;
    }

    private boolean isDue(int from) {
        return slot < ranks.length && ranks[slot] == from;
    }

    private float weight() {
        return weights == null ? 1 : weights[slot];
    }

    /// @return what comes from another rank
    Incoming from(Peer peer) {
        return new Part(peer);
    }

    /// Rows of one rank.
    private final class Part extends Incoming {
        /// How many of this rank's rows are added before others have their turn to move.
        private static final int AT_ONCE = 64;

        private final long bytes;

        Part(Peer peer) {
            super(ExchangeLayout.Kind.COMBINE, peer);
            int rows = 0;
            for (int from : ranks) {
                rows += from == peer.rank() ? 1 : 0;
            }
            this.bytes = rows * wire.rowBytes();
        }

        @Override
        boolean isReady() {
            return Merge.this.isReady();
        }

        @Override
        void begin(long count) {
            expect(count, bytes);
        }

        @Override
        int take(MemorySegment frame, long at, int count) {
            Rows.Place tokens = Objects.requireNonNull(y);
            int done = 0;
            boolean _ = own(AT_ONCE);
            while (done < count && isDue(peer.rank())) {
                long here = position + done;
                int columns = wire.columns(here);
                int size = wire.bytes(columns);
                requireWhole(size, count - done);
                long column = wire.column(here);
                long to = tokens.at(slot / topK) + column;
                wire.add(weight(), frame, at + done, columns, tokens.memory(), to);
                done += size;
                if (column + (long) columns * Float.BYTES == (long) wire.width() * Float.BYTES) {
                    slot++;
                    boolean _ = own(AT_ONCE);
                }
            }
            return done;
        }
    }
}
