package dev.wok.generate.json;

import java.math.BigDecimal;
import java.math.RoundingMode;
import org.jspecify.annotations.Nullable;

/// Bounds of numbers.
///
/// @param low nothing where there is none
/// @param aboveLow whether the bound itself is outside
record Range(
        @Nullable BigDecimal low,
        boolean aboveLow,
        @Nullable BigDecimal high,
        boolean belowHigh) {
    static final Range ALL = new Range(null, false, null, false);

    static Range of(BigDecimal low, BigDecimal high) {
        return new Range(low, false, high, false);
    }

    static Range from(BigDecimal low, boolean above) {
        return new Range(low, above, null, false);
    }

    static Range to(BigDecimal high, boolean below) {
        return new Range(null, false, high, below);
    }

    Range and(Range other) {
        int lows = low == null ? -1 : other.low == null ? 1 : low.compareTo(other.low);
        int highs = high == null ? 1 : other.high == null ? -1 : high.compareTo(other.high);
        Range lower = lows >= 0 ? this : other;
        Range upper = highs <= 0 ? this : other;
        return new Range(
                lower.low,
                lower.aboveLow || lows == 0 && other.aboveLow,
                upper.high,
                upper.belowHigh || highs == 0 && other.belowHigh);
    }

    boolean contains(BigDecimal value) {
        int fromLow = low == null ? 1 : value.compareTo(low);
        int fromHigh = high == null ? -1 : value.compareTo(high);
        return (aboveLow ? fromLow > 0 : fromLow >= 0) && (belowHigh ? fromHigh < 0 : fromHigh <= 0);
    }

    boolean isAll() {
        return low == null && high == null;
    }

    /// @return whether there is no number in it
    boolean isEmpty() {
        if (low == null || high == null) {
            return false;
        }
        int order = low.compareTo(high);
        return order > 0 || order == 0 && (aboveLow || belowHigh);
    }

    /// @return the bounds that hold for the same numbers with so many digits after the point
    Range rounded(int digits) {
        BigDecimal lowest = low == null ? null : low.setScale(digits, RoundingMode.CEILING);
        BigDecimal highest = high == null ? null : high.setScale(digits, RoundingMode.FLOOR);
        return new Range(
                lowest,
                lowest != null && aboveLow && lowest.compareTo(low) == 0,
                highest,
                highest != null && belowHigh && highest.compareTo(high) == 0);
    }

    /// @return bounds that hold for the same integers, and are integers that are inside
    Range whole() {
        Range rounded = rounded(0);
        BigDecimal lowest = rounded.low == null || !rounded.aboveLow ? rounded.low : rounded.low.add(BigDecimal.ONE);
        BigDecimal highest =
                rounded.high == null || !rounded.belowHigh ? rounded.high : rounded.high.subtract(BigDecimal.ONE);
        return new Range(lowest, false, highest, false);
    }
}
