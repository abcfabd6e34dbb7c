package dev.wok.tune;

import java.util.ArrayList;
import java.util.List;

/// A sum, difference, product or quotient of whole numbers, with parentheses, computed exactly.
///
/// @param value what it comes to
/// @param numbers that stand in it, in their order
record Expression(Fraction value, List<Long> numbers) {
    static final int LONGEST = 1000;
    static final int DEEPEST = 50;
    private static final int MOST_DIGITS = 15;

    Expression {
        numbers = List.copyOf(numbers);
    }

    /// What is wrong with a text that should be an expression.
    static final class NoExpression extends Exception {
        private static final long serialVersionUID = 1L;

        NoExpression(String message) {
            super(message);
        }
    }

    /// @param text with `+ - * / ( )`, the signs `− × · ÷` meaning the same
    /// @throws NoExpression where it is none, is too long or too deep, or divides by zero
    static Expression of(String text) throws NoExpression {
        if (text.length() > LONGEST) {
            throw new NoExpression("an expression of more than %d characters".formatted(LONGEST));
        }
        Reader reader = new Reader(text);
        Fraction value = reader.sum(0);
        reader.end();
        return new Expression(value, reader.numbers);
    }

    private static final class Reader {
        private final String text;
        private final List<Long> numbers = new ArrayList<>();
        private int at;

        Reader(String text) {
            this.text = text;
        }

        Fraction sum(int depth) throws NoExpression {
            Fraction value = product(depth);
            while (true) {
                if (take("+")) {
                    value = value.plus(product(depth));
                } else if (take("-−")) {
                    value = value.minus(product(depth));
                } else {
                    return value;
                }
            }
        }

        private Fraction product(int depth) throws NoExpression {
            Fraction value = factor(depth);
            while (true) {
                if (take("*×·")) {
                    value = value.times(factor(depth));
                } else if (take("/÷")) {
                    Fraction divisor = factor(depth);
                    if (divisor.over().signum() == 0) {
                        throw new NoExpression("division by zero");
                    }
                    value = value.by(divisor);
                } else {
                    return value;
                }
            }
        }

        private Fraction factor(int depth) throws NoExpression {
            if (depth > DEEPEST) {
                throw new NoExpression("more than %d parentheses deep".formatted(DEEPEST));
            }
            if (take("-−")) {
                return factor(depth + 1).negated();
            }
            if (take("(")) {
                Fraction value = sum(depth + 1);
                if (!take(")")) {
                    throw new NoExpression("a parenthesis that is not closed");
                }
                return value;
            }
            return number();
        }

        private Fraction number() throws NoExpression {
            int from = at;
            while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
                at++;
            }
            if (from == at || at - from > MOST_DIGITS) {
                throw new NoExpression(from == at ? "no expression" : "a number of too many digits");
            }
            long number = Long.parseLong(text, from, at, 10);
            numbers.add(number);
            return Fraction.of(number);
        }

        void end() throws NoExpression {
            skip();
            if (at < text.length()) {
                throw new NoExpression("no expression");
            }
        }

        private boolean take(String signs) {
            skip();
            boolean there = at < text.length() && signs.indexOf(text.charAt(at)) >= 0;
            at += there ? 1 : 0;
            skip();
            return there;
        }

        private void skip() {
            while (at < text.length() && Character.isWhitespace(text.charAt(at))) {
                at++;
            }
        }
    }
}
