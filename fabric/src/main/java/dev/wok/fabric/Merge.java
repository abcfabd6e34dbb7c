package dev.wok.fabric;

import dev.wok.kernel.WeightedRows;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Rows and sums that come home from all ranks, added to their tokens in the order of [Choices].
///
/* Each rank sends in that order, so there is nothing to store: what is due is the next of the rank that has it, or the
 * next of this rank's own. A frame whose next row is not due stays where it is.
 *
 * Nobody waits in a circle. A rank sends whenever its own ring has room, whatever else it waits for. The ring from the
 * rank whose row is due holds nothing before that row: earlier operations have been read (they are older here as there),
 * and earlier rows of this one have been added. So that row comes, and after it the next.
 */
final class Merge {
    private final Homeward wires;
    private final int rank;
    private final int topK;
    private final Choices choices;
    private final Leaving own;
    private final WeightedRows sum;
    /// What of a sum whose rows are on several ranks has been added up; null where rows are added to tokens.
    private final @Nullable MemorySegment apart;

    private Rows.@Nullable Place y;
    /// The choice that what is added next begins with.
    private int due;
    /// How many pieces of it have been added.
    private int piece;
    private int ownNext;

    /// @param rank this one
    /// @param own what does not travel
    /// @param sum for one
    Merge(Homeward wires, int rank, Exchange.Desc desc, Choices choices, Leaving own, WeightedRows sum) {
        this.wires = wires;
        this.rank = rank;
        this.topK = desc.topK();
        this.choices = choices;
        this.own = own;
        this.sum = sum;
        this.apart = desc.parts() == 1
                ? null
                : Arena.ofAuto().allocate((long) desc.hidden() * Float.BYTES, ExchangeLayout.HEADER);
    }

    /// Says what is added to.
    void to(Rows.Place tokens) {
        y = tokens;
    }

    boolean isReady() {
        return y != null;
    }

    /// Adds rows of this rank that are due.
    ///
    /// @param most how many at once, or one more sum
    /// @return whether there was one
    boolean own(int most) {
        Rows.Place tokens = y;
        int end = ownNext + most;
        boolean some = false;
        while (tokens != null && ownNext < end && isDue(rank)) {
            if (own.isAlone(ownNext)) {
                Adding to = begin(tokens);
                wires.rows().addOwn(weight(), own.memory(), own.at(ownNext), to.memory, to.at);
            } else {
                own.select(ownNext, sum, (long) Float.BYTES * wires.sums().width());
                wires.sums().addSum(own.memory(), sum, tokens.memory(), at(tokens));
            }
            end(tokens);
            ownNext = own.end(ownNext);
            some = true;
        }
        return some;
    }

    private boolean isDue(int from) {
        return due < choices.ranks().length && choices.ranks()[due] == from;
    }

    /// @return of the row by itself that is due
    private float weight() {
        return own.weights() == null ? 1 : choices.weights()[due];
    }

    private long at(Rows.Place tokens) {
        return tokens.at(due / topK);
    }

    private record Adding(MemorySegment memory, long at) {}

    /// @return where the row by itself that is due is added
    private Adding begin(Rows.Place tokens) {
        if (apart == null) {
            return new Adding(tokens.memory(), at(tokens));
        }
        if (choices.terms()[due] == Terms.ALONE && piece == 0) {
            apart.fill((byte) 0);
        }
        return new Adding(apart, 0);
    }

    /// Goes on behind what has been added.
    private void end(Rows.Place tokens) {
        byte[] terms = choices.terms();
        if (apart != null && Terms.isAlone(terms[due]) && Terms.isLast(terms, due)) {
            wires.sums().addOwn(1, apart, 0, tokens.memory(), at(tokens));
        }
        due = Terms.end(terms, due);
    }

    /// @return what comes from another rank
    Incoming from(Peer peer) {
        return new Part(peer);
    }

    /// What comes from one rank.
    private final class Part extends Incoming {
        /// How many of this rank's rows are added before others have their turn to move.
        private static final int AT_ONCE = 64;

        Part(Peer peer) {
            super(ExchangeLayout.Kind.COMBINE, peer);
        }

        @Override
        boolean isReady() {
            return Merge.this.isReady();
        }

        @Override
        void begin(long count) {
            expect(count, wires.bytes(choices.to(peer.rank()).terms()));
        }

        @Override
        int take(MemorySegment frame, long at, int count) {
            Rows.Place tokens = Objects.requireNonNull(y);
            int done = 0;
            boolean _ = own(AT_ONCE);
            while (done < count && isDue(peer.rank())) {
                byte term = choices.terms()[due];
                Wire wire = wires.of(term);
                int columns = wire.columnsOf(piece);
                int size = wire.bytes(columns);
                requireWhole(size, count - done);
                long column = wire.columnOf(piece);
                if (Terms.isAlone(term)) {
                    Adding to = Merge.this.begin(tokens);
                    wire.add(weight(), frame, at + done, columns, to.memory, to.at + column);
                } else {
                    wire.add(1, frame, at + done, columns, tokens.memory(), at(tokens) + column);
                }
                done += size;
                if (++piece == wire.pieces()) {
                    piece = 0;
                    end(tokens);
                    boolean _ = own(AT_ONCE);
                }
            }
            return done;
        }
    }
}
