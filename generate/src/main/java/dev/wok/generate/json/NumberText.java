package dev.wok.generate.json;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// Numbers between bounds as an automaton over their decimal digits, which are compared with those of the
/// bounds as they come.
final class NumberText {
    /// No more than a 64-bit integer can hold.
    static final int WHOLE_DIGITS = 18;

    /// So many decimal digits a double tells apart.
    static final int DIGITS = 15;

    /// The digits of a bound, without its sign.
    private record Bound(String whole, String fraction, boolean strict) {
        static Bound of(BigDecimal value, boolean strict) {
            String[] parts = value.abs().toPlainString().split("\\.", 2);
            return new Bound(parts[0], parts.length == 1 ? "" : parts[1].replaceFirst("0+$", ""), strict);
        }

        /// How a whole part compares after one more digit.
        int whole(int order, int index, int digit) {
            return index >= whole.length() ? 1 : order != 0 ? order : Integer.compare(digit, whole.charAt(index) - '0');
        }

        int wholeEnded(int order, int digits) {
            return digits < whole.length() ? -1 : order;
        }

        int fraction(int order, int index, int digit) {
            int own = index < fraction.length() ? fraction.charAt(index) - '0' : 0;
            return order != 0 ? order : Integer.compare(digit, own);
        }

        int ended(int order, int digits) {
            return order == 0 && digits < fraction.length() ? -1 : order;
        }
    }

    private enum Part {
        START,
        MINUS,
        ZERO,
        WHOLE,
        POINT,
        FRACTION,
        E,
        SIGN,
        EXPONENT
    }

    /// @param digits of this part
    /// @param left how many digits of a fraction there may be
    /// @param least how the number compares with the bound nearer to zero
    /// @param most and with the other
    private record State(Part part, boolean negative, int digits, int left, int least, int most) {}

    private final boolean integer;
    private final boolean free;

    /// By sign.
    private final @Nullable Bound[] least = new @Nullable Bound[2];

    private final @Nullable Bound[] most = new @Nullable Bound[2];
    private final boolean[] signs = new boolean[2];

    private final Dfa.Builder builder = new Dfa.Builder();
    private final Map<State, Integer> known = new HashMap<>();
    private final List<State> todo = new ArrayList<>();

    private NumberText(boolean integer, Range range) {
        this.integer = integer;
        free = range.isAll();
        BigDecimal low = range.low();
        BigDecimal high = range.high();
        int lowSign = low == null ? -1 : low.signum();
        int highSign = high == null ? 1 : high.signum();
        signs[0] = highSign > 0 || highSign == 0 && !range.belowHigh();
        signs[1] = lowSign < 0;
        least[0] = low != null && (lowSign > 0 || lowSign == 0 && range.aboveLow())
                ? Bound.of(low, range.aboveLow())
                : null;
        most[0] = high == null ? null : Bound.of(high, range.belowHigh());
        least[1] = high != null && (highSign < 0 || highSign == 0 && range.belowHigh())
                ? Bound.of(high, range.belowHigh())
                : null;
        most[1] = low == null ? null : Bound.of(low, range.aboveLow());
    }

    /// @param range bounds that are [#near], and [Range#whole] for integers
    /// @return an automaton, empty where no number of so many digits is in the range
    static Dfa of(boolean integer, Range range) {
        return new NumberText(integer, integer ? range : range.rounded(DIGITS)).build();
    }

    /// @return the bounds, where they are so far away or so near to zero that it makes no difference by
    ///     others that have few digits
    static Range near(Range range) {
        return new Range(near(range.low()), range.aboveLow(), near(range.high()), range.belowHigh());
    }

    private static @Nullable BigDecimal near(@Nullable BigDecimal bound) {
        if (bound == null || bound.signum() == 0) {
            return bound == null ? null : BigDecimal.ZERO;
        }
        long magnitude = (long) bound.precision() - bound.scale();
        BigDecimal sign = BigDecimal.valueOf(bound.signum());
        return magnitude > WHOLE_DIGITS + 2
                ? sign.scaleByPowerOfTen(WHOLE_DIGITS + 2)
                : magnitude < -DIGITS - 2 ? sign.scaleByPowerOfTen(-DIGITS - 2) : bound;
    }

    private Dfa build() {
        number(new State(Part.START, false, 0, DIGITS, 0, 0));
        while (!todo.isEmpty()) {
            State state = todo.removeLast();
            switch (state.part) {
                case START -> {
                    if (signs[1]) {
                        step(state, '-', new State(Part.MINUS, true, 0, DIGITS, 0, 0));
                    }
                    if (signs[0]) {
                        whole(state);
                    }
                }
                case MINUS, WHOLE -> whole(state);
                case ZERO, FRACTION -> {}
                case POINT -> fraction(state);
                case E -> {
                    step(state, '+', new State(Part.SIGN, false, 0, 0, 0, 0));
                    step(state, '-', new State(Part.SIGN, false, 0, 0, 0, 0));
                    exponent(state);
                }
                case SIGN, EXPONENT -> exponent(state);
            }
            switch (state.part) {
                case ZERO, WHOLE -> {
                    point(state);
                    e(state);
                }
                case FRACTION -> {
                    fraction(state);
                    e(state);
                }
                case START, MINUS, POINT, E, SIGN, EXPONENT -> {}
            }
        }
        return builder.build(false);
    }

    private int number(State state) {
        Integer number = known.get(state);
        if (number == null) {
            number = accepts(state) ? builder.accepting() : builder.state();
            known.put(state, number);
            todo.add(state);
        }
        return number;
    }

    private void step(State from, int b, State to) {
        builder.step(number(from), b, number(to));
    }

    private void whole(State state) {
        if (state.digits == WHOLE_DIGITS) {
            return;
        }
        int sign = state.negative ? 1 : 0;
        boolean first = state.digits == 0;
        for (int digit = first && integer && state.negative ? 1 : 0; digit <= 9; digit++) {
            Bound low = least[sign];
            Bound high = most[sign];
            step(
                    state,
                    '0' + digit,
                    new State(
                            first && digit == 0 ? Part.ZERO : Part.WHOLE,
                            state.negative,
                            state.digits + 1,
                            Math.max(0, DIGITS - state.digits - 1),
                            low == null ? 0 : low.whole(state.least, state.digits, digit),
                            high == null ? 0 : high.whole(state.most, state.digits, digit)));
        }
    }

    private void point(State state) {
        if (integer || state.left == 0) {
            return;
        }
        int sign = state.negative ? 1 : 0;
        Bound low = least[sign];
        Bound high = most[sign];
        step(
                state,
                '.',
                new State(
                        Part.POINT,
                        state.negative,
                        0,
                        state.left,
                        low == null ? 0 : low.wholeEnded(state.least, state.digits),
                        high == null ? 0 : high.wholeEnded(state.most, state.digits)));
    }

    private void fraction(State state) {
        if (state.left == 0) {
            return;
        }
        int sign = state.negative ? 1 : 0;
        for (int digit = 0; digit <= 9; digit++) {
            Bound low = least[sign];
            Bound high = most[sign];
            step(
                    state,
                    '0' + digit,
                    new State(
                            Part.FRACTION,
                            state.negative,
                            state.digits + 1,
                            state.left - 1,
                            low == null ? 0 : low.fraction(state.least, state.digits, digit),
                            high == null ? 0 : high.fraction(state.most, state.digits, digit)));
        }
    }

    private void e(State state) {
        if (free && !integer) {
            step(state, 'e', new State(Part.E, false, 0, 0, 0, 0));
            step(state, 'E', new State(Part.E, false, 0, 0, 0, 0));
        }
    }

    /// Two digits: no number gets out of a double's range.
    private void exponent(State state) {
        for (int digit = 0; digit <= 9 && state.digits < 2; digit++) {
            step(state, '0' + digit, new State(Part.EXPONENT, false, state.digits + 1, 0, 0, 0));
        }
    }

    private boolean accepts(State state) {
        int sign = state.negative ? 1 : 0;
        return switch (state.part) {
            case ZERO, WHOLE, FRACTION -> {
                boolean whole = state.part != Part.FRACTION;
                Bound low = least[sign];
                Bound high = most[sign];
                int fromLow = low == null ? 1 : ended(low, whole, state.least, state.digits);
                int fromHigh = high == null ? -1 : ended(high, whole, state.most, state.digits);
                yield (fromLow > 0 || fromLow == 0 && low != null && !low.strict)
                        && (fromHigh < 0 || fromHigh == 0 && high != null && !high.strict);
            }
            case EXPONENT -> true;
            case START, MINUS, POINT, E, SIGN -> false;
        };
    }

    private static int ended(Bound bound, boolean whole, int order, int digits) {
        return whole ? bound.ended(bound.wholeEnded(order, digits), 0) : bound.ended(order, digits);
    }
}
