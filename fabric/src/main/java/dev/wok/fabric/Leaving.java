package dev.wok.fabric;

import dev.wok.kernel.WeightedRows;
import java.lang.foreign.MemorySegment;
import org.jspecify.annotations.Nullable;

/// Rows for the tokens of one rank, in the order in which they are added up there.
///
/// @param place where they lie
/// @param rows which
/// @param terms what becomes of each
/// @param weights of those that are summed here, or null for ones
record Leaving(Rows.Place place, int[] rows, byte[] terms, float @Nullable [] weights) {
    /// @param rank whose tokens they are for
    /// @param weighs whether rows have weights
    static Leaving of(Rows.Place place, Arrivals arrived, int rank, boolean weighs) {
        Visits visits = arrived.visits()[rank];
        return new Leaving(place, arrived.rowsOf()[rank], visits.terms(), weighs ? visits.weights() : null);
    }

    MemorySegment memory() {
        return place.memory();
    }

    int count() {
        return rows.length;
    }

    boolean isAlone(int row) {
        return Terms.isAlone(terms[row]);
    }

    /// @return where a row begins
    long at(int row) {
        return place.at(rows[row]);
    }

    float weight(int row) {
        return weights == null ? 1 : weights[row];
    }

    /// @return which row follows the sum, or the row by itself, that begins with this one
    int end(int row) {
        return Terms.end(terms, row);
    }

    /// @param row that a sum begins with
    /// @param sum becomes its rows
    /// @param bytes of a row
    void select(int row, WeightedRows sum, long bytes) {
        sum.clear();
        int end = end(row);
        for (int i = row; i < end; i++) {
            sum.add(at(i), weight(i));
        }
        for (int i = row, next = end; i < end && next < rows.length; i++, next++) {
            sum.onward(i - row, at(next), bytes);
        }
    }
}
