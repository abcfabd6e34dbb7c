package dev.wok.text;

import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// Counts and bytes of what was dropped, by reason.
final class Tally {
    private final long[] counts = new long[Dropped.values().length];
    private final long[] bytes = new long[Dropped.values().length];

    void add(Dropped reason, long size) {
        counts[reason.ordinal()]++;
        bytes[reason.ordinal()] += size;
    }

    void add(Tally other) {
        for (int i = 0; i < counts.length; i++) {
            counts[i] += other.counts[i];
            bytes[i] += other.bytes[i];
        }
    }

    long count(Dropped reason) {
        return counts[reason.ordinal()];
    }

    /// @return "311 duplicates (2.1 MB), 12 not UTF-8 (0.3 MB)"; empty where nothing was dropped
    @Override
    public String toString() {
        List<String> parts = new ArrayList<>();
        for (Dropped reason : Dropped.values()) {
            if (count(reason) > 0) {
                parts.add(String.format(
                        Locale.ROOT, "%,d %s (%s)", count(reason), reason.words, size(bytes[reason.ordinal()])));
            }
        }
        return String.join(", ", parts);
    }

    /// @return "213.1 MB", "1.5 kB", "12 bytes"
    static String size(long bytes) {
        if (bytes < 1000) {
            return bytes + (bytes == 1 ? " byte" : " bytes");
        }
        return bytes < 1_000_000
                ? String.format(Locale.ROOT, "%.1f kB", bytes / 1e3)
                : String.format(Locale.ROOT, "%,.1f MB", bytes / 1e6);
    }
}
