package dev.wok.tune;

import java.math.BigDecimal;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// Reads numbers as people and models write them in answers.
final class Numbers {
    /// A number with what it counts.
    ///
    /// @param unit in lower case; empty where there is none
    record Quantity(Fraction value, String unit) {
        /// @return whether the values are equal, and the units too where both have one
        boolean matches(Quantity other, Fraction tolerance) {
            Fraction allowed = other.value.magnitude().times(tolerance);
            return (unit.isEmpty() || other.unit.isEmpty() || unit.equals(other.unit))
                    && value.minus(other.value).magnitude().compareTo(allowed) <= 0;
        }
    }

    private static final int LONGEST = 1000;
    private static final int LARGEST_EXPONENT = 1000;
    private static final String PLAIN = "(?:\\d{1,3}(?:,\\d{3})+|\\d+)(?:\\.\\d+)?|\\.\\d+";
    private static final Pattern QUANTITY = Pattern.compile("(?<sign>[+-]?)\\s*(?<currency>[$€£¥]?)\\s*"
            + "(?:(?<whole>\\d+) (?=\\d+\\s*/\\s*\\d))?"
            + "(?<number>" + PLAIN + ")(?:[eE](?<exponent>[+-]?\\d{1,9}))?"
            + "(?:\\s*/\\s*(?<under>" + PLAIN + "))?"
            + "\\s*(?<percent>%?)\\s*(?<unit>(?:[\\p{L}°][\\p{L}°./²³]*+(?:\\^\\d)?+\\s*+){0,3}+)\\.?");
    private static final Pattern TEX_FRACTION = Pattern.compile("\\\\[dt]?frac\\s*\\{([^{}]*)\\}\\s*\\{([^{}]*)\\}");
    private static final Pattern TEX_TEXT = Pattern.compile("\\\\(?:text|mathrm|textbf|mathbf)\\s*\\{([^{}]*)\\}");
    private static final Pattern TEX_SPACE = Pattern.compile("\\\\[,;:! ]|\\\\left|\\\\right|~");

    /* Words that change the number, so that they are no units. */
    private static final Set<String> FACTORS = Set.of(
            "dozen",
            "hundred",
            "thousand",
            "million",
            "millions",
            "billion",
            "trillion",
            "k",
            "mn",
            "bn",
            "half",
            "halves",
            "third",
            "thirds",
            "quarter",
            "quarters",
            "percent",
            "or",
            "and",
            "to",
            "e",
            "pi",
            "i",
            "n",
            "x",
            "y",
            "z");

    private static final Map<String, String> CURRENCIES =
            Map.of("dollar", "$", "usd", "$", "euro", "€", "eur", "€", "pound", "£", "yen", "¥");

    private Numbers() {}

    /// @return empty where it is no number, or one of more than a thousand characters or an exponent
    ///     beyond a thousand
    static Optional<Quantity> parse(String text) {
        if (text.length() > LONGEST) {
            return Optional.empty();
        }
        String plain = plain(text);
        Matcher matcher =
                QUANTITY.matcher(plain.substring(plain.lastIndexOf('=') + 1).strip());
        if (!matcher.matches()) {
            return Optional.empty();
        }
        String unit = matcher.group("unit").strip().toLowerCase(Locale.ROOT);
        boolean percent = !matcher.group("percent").isEmpty() || unit.equals("percent");
        for (String word : unit.split("\\s+", -1)) {
            if (FACTORS.contains(word) && !unit.equals("percent")) {
                return Optional.empty();
            }
        }
        return value(matcher, percent).map(value -> new Quantity(value, percent ? "" : unit(matcher, unit)));
    }

    private static String unit(Matcher matcher, String unit) {
        String currency = matcher.group("currency");
        String bare = unit.endsWith(".") ? unit.substring(0, unit.length() - 1) : unit;
        String one = bare.length() > 3 && bare.endsWith("s") ? bare.substring(0, bare.length() - 1) : bare;
        return currency.isEmpty() ? CURRENCIES.getOrDefault(one, one) : (currency + " " + one).strip();
    }

    private static Optional<Fraction> value(Matcher matcher, boolean percent) {
        String exponent = matcher.group("exponent");
        int power = exponent == null ? 0 : Integer.parseInt(exponent);
        if (Math.abs(power) > LARGEST_EXPONENT) {
            return Optional.empty();
        }
        Fraction value = decimal(matcher.group("number"), power);
        String under = matcher.group("under");
        if (under != null) {
            Fraction divisor = decimal(under, 0);
            if (divisor.over().signum() == 0) {
                return Optional.empty();
            }
            value = value.by(divisor);
        }
        String whole = matcher.group("whole");
        if (whole != null) {
            value = value.plus(decimal(whole, 0));
        }
        if (percent) {
            value = value.by(Fraction.of(100));
        }
        return Optional.of(matcher.group("sign").equals("-") ? value.negated() : value);
    }

    private static Fraction decimal(String digits, int power) {
        return Fraction.of(new BigDecimal(digits.replace(",", "")).scaleByPowerOfTen(power));
    }

    /// @return with the digits 0 to 9 of whatever script, one kind of minus, without TeX and dollar
    ///     signs around
    private static String plain(String text) {
        StringBuilder digits = new StringBuilder();
        text.strip()
                .codePoints()
                .forEach(c -> digits.appendCodePoint(Character.isDigit(c) ? '0' + Character.digit(c, 10) : c));
        String plain = digits.toString()
                .replace('−', '-')
                .replace('–', '-')
                .replace("\\%", "%")
                .replace("\\$", "$")
                .replace("^\\circ", "°")
                .replace("{,}", ",");
        if (plain.length() > 1 && plain.startsWith("$") && plain.endsWith("$")) {
            plain = plain.replaceAll("^\\$+|\\$+$", "");
        }
        plain = TEX_SPACE.matcher(plain).replaceAll(" ");
        plain = TEX_TEXT.matcher(plain).replaceAll(" $1");
        plain = TEX_FRACTION.matcher(plain).replaceAll(" $1/$2");
        return plain.strip();
    }
}
