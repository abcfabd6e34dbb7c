package dev.wok.tune;

import java.math.BigDecimal;
import java.math.BigInteger;

/// An exact number, in lowest terms.
///
/// @param over without a common factor with `under`
/// @param under above zero
record Fraction(BigInteger over, BigInteger under) {
    Fraction {
        if (under.signum() == 0) {
            throw new ArithmeticException("division by zero");
        }
        BigInteger common = over.gcd(under);
        BigInteger by = under.signum() < 0 ? common.negate() : common;
        over = over.divide(by);
        under = under.divide(by);
    }

    static Fraction of(long whole) {
        return new Fraction(BigInteger.valueOf(whole), BigInteger.ONE);
    }

    /// @param decimal with few enough digits to be written out
    static Fraction of(BigDecimal decimal) {
        BigInteger digits = decimal.unscaledValue();
        return decimal.scale() > 0
                ? new Fraction(digits, BigInteger.TEN.pow(decimal.scale()))
                : new Fraction(digits.multiply(BigInteger.TEN.pow(-decimal.scale())), BigInteger.ONE);
    }

    Fraction plus(Fraction other) {
        return new Fraction(over.multiply(other.under).add(other.over.multiply(under)), under.multiply(other.under));
    }

    Fraction minus(Fraction other) {
        return plus(other.negated());
    }

    Fraction times(Fraction other) {
        return new Fraction(over.multiply(other.over), under.multiply(other.under));
    }

    /// @throws ArithmeticException where the other is zero
    Fraction by(Fraction other) {
        return new Fraction(over.multiply(other.under), under.multiply(other.over));
    }

    Fraction negated() {
        return new Fraction(over.negate(), under);
    }

    Fraction magnitude() {
        return new Fraction(over.abs(), under);
    }

    int compareTo(Fraction other) {
        return over.multiply(other.under).compareTo(other.over.multiply(under));
    }

    @Override
    public String toString() {
        return under.equals(BigInteger.ONE) ? over.toString() : over + "/" + under;
    }
}
