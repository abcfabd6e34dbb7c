package dev.wok.text;

import java.util.ArrayList;
import java.util.List;

/// Python's `+ - * / // % **` on numbers, and what of them it has for text and lists.
final class JinjaArithmetic {
    private static final int MAX_REPEATED = 10_000_000;

    private JinjaArithmetic() {}

    static Object apply(String operator, Object a, Object b) {
        if (operator.equals("+") && a instanceof String x && b instanceof String y) {
            return joined(x, y);
        }
        if (operator.equals("+") && a instanceof List<?> x && b instanceof List<?> y) {
            JinjaWork.spend(4L * (x.size() + y.size()));
            List<Object> both = new ArrayList<>(x);
            both.addAll(y);
            return a instanceof JinjaValues.Tuple && b instanceof JinjaValues.Tuple
                    ? new JinjaValues.Tuple(both)
                    : both;
        }
        if (operator.equals("*") && (a instanceof String || a instanceof List<?>) && b instanceof Long n) {
            return repeated(a, n);
        }
        if (!JinjaValues.isNumber(a) || !JinjaValues.isNumber(b)) {
            throw JinjaValues.mismatch("'" + operator + "'", a, b);
        }
        try {
            return a instanceof Double || b instanceof Double || operator.equals("/")
                    ? decimal(operator, JinjaValues.toDouble(a), JinjaValues.toDouble(b))
                    : whole(operator, JinjaValues.toLong(a), JinjaValues.toLong(b));
        } catch (ArithmeticException e) {
            throw new JinjaError("a number too large, or a division by zero");
        }
    }

    static String joined(String a, String b) {
        JinjaWork.spend((long) a.length() + b.length());
        return a + b;
    }

    private static Object repeated(Object value, long times) {
        long n = Math.max(times, 0);
        int size = value instanceof String s ? s.length() : ((List<?>) value).size();
        if (n * size > MAX_REPEATED || n > MAX_REPEATED) {
            throw new JinjaError("a repetition to more than %d items".formatted(MAX_REPEATED));
        }
        JinjaWork.spend(value instanceof String ? n * size : 4 * n * size);
        if (value instanceof String s) {
            return s.repeat((int) n);
        }
        List<Object> out = new ArrayList<>();
        for (long i = 0; i < n; i++) {
            out.addAll((List<?>) value);
        }
        return out;
    }

    private static Object whole(String operator, long a, long b) {
        return switch (operator) {
            case "+" -> Math.addExact(a, b);
            case "-" -> Math.subtractExact(a, b);
            case "*" -> Math.multiplyExact(a, b);
            case "//" -> Math.floorDiv(a, b);
            case "%" -> Math.floorMod(a, b);
            case "**" -> b < 0 ? (Object) Math.pow((double) a, (double) b) : (Object) power(a, b);
            default -> throw new JinjaError("the operator " + operator);
        };
    }

    private static long power(long base, long exponent) {
        if (Math.abs(base) <= 1) {
            return exponent == 0 ? 1 : base == -1 && exponent % 2 == 0 ? 1 : base;
        }
        long product = 1;
        for (long i = 0; i < exponent; i++) {
            product = Math.multiplyExact(product, base);
        }
        return product;
    }

    private static Object decimal(String operator, double a, double b) {
        if (b == 0 && (operator.startsWith("/") || operator.equals("%"))) {
            throw new JinjaError("a division by zero");
        }
        return switch (operator) {
            case "+" -> a + b;
            case "-" -> a - b;
            case "*" -> a * b;
            case "/" -> a / b;
            case "//" -> Math.floor(a / b);
            case "%" -> a - b * Math.floor(a / b);
            case "**" -> Math.pow(a, b);
            default -> throw new JinjaError("the operator " + operator);
        };
    }
}
