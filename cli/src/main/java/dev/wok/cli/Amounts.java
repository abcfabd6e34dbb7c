package dev.wok.cli;

import java.util.Locale;

/// Numbers as people read them.
final class Amounts {
    private Amounts() {}

    /// @param unit what is counted; "bytes" come out as kB, MB or GB (powers of ten)
    static String of(double count, String unit) {
        if (!unit.equals("bytes")) {
            boolean one = count == 1 && unit.endsWith("s");
            return "%s %s".formatted(number(count), one ? unit.substring(0, unit.length() - 1) : unit);
        }
        if (count >= 1e9) {
            return String.format(Locale.ROOT, "%.1f GB", count / 1e9);
        }
        if (count >= 1e6) {
            return String.format(Locale.ROOT, "%.1f MB", count / 1e6);
        }
        return count >= 1e3
                ? String.format(Locale.ROOT, "%.1f kB", count / 1e3)
                : String.format(Locale.ROOT, "%.0f bytes", count);
    }

    /// @return whole numbers with separators, smaller ones with as many digits as say something
    static String number(double value) {
        boolean whole = value == Math.rint(value);
        return String.format(Locale.ROOT, whole || value >= 100 ? "%,.0f" : value >= 10 ? "%.1f" : "%.2f", value);
    }

    /// @return "0.4 s", "12 s", "4 min 05 s", "2 h 10 min"
    static String duration(double seconds) {
        if (seconds < 9.95) {
            return String.format(Locale.ROOT, "%.1f s", seconds);
        }
        long whole = Math.round(seconds);
        if (whole < 60) {
            return whole + " s";
        }
        if (whole < 3600) {
            return String.format(Locale.ROOT, "%d min %02d s", whole / 60, whole % 60);
        }
        return String.format(Locale.ROOT, "%d h %02d min", whole / 3600, whole / 60 % 60);
    }
}
