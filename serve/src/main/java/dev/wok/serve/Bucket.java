package dev.wok.serve;

/// What may be spent in a minute: a minute's worth at once, after which it comes back evenly (token
/// bucket). Whoever uses it guards it.
final class Bucket {
    private static final double SECONDS = 60;
    private static final double NANOS = 1e9;

    private final double perMinute;
    private double left;
    private long seen;

    /// @param now nanoseconds from any origin
    Bucket(double perMinute, long now) {
        this.perMinute = perMinute;
        left = perMinute;
        seen = now;
    }

    /// Spends where there is so much.
    boolean take(double amount, long now) {
        refill(now);
        if (left < amount) {
            return false;
        }
        left -= amount;
        return true;
    }

    /// Spends what there may not be: then there is nothing for a while.
    void spend(double amount, long now) {
        refill(now);
        left -= amount;
    }

    /// @return after how many seconds there is so much, at least 1
    int secondsUntil(double amount, long now) {
        refill(now);
        return (int) Math.clamp(Math.ceil((amount - left) * SECONDS / perMinute), 1, Integer.MAX_VALUE);
    }

    private void refill(long now) {
        left = Math.min(perMinute, left + (now - seen) / NANOS * perMinute / SECONDS);
        seen = now;
    }
}
