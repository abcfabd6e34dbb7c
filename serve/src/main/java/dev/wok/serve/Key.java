package dev.wok.serve;

import java.security.MessageDigest;
import java.util.OptionalInt;
import org.jspecify.annotations.Nullable;

/// A key that clients show, and what it has used of its limits.
final class Key {
    private final String name;
    private final byte[] hash;
    private final Keys.Limits limits;
    private final @Nullable Bucket requests;
    private final @Nullable Bucket tokens;
    private int texts;

    /// @param hash SHA-256 of what is shown
    Key(String name, byte[] hash, Keys.Limits limits, long now) {
        this.name = name;
        this.hash = hash.clone();
        this.limits = limits;
        requests = bucket(limits.requestsPerMinute(), now);
        tokens = bucket(limits.tokensPerMinute(), now);
    }

    private static @Nullable Bucket bucket(OptionalInt perMinute, long now) {
        return perMinute.isPresent() ? new Bucket(perMinute.getAsInt(), now) : null;
    }

    String name() {
        return name;
    }

    boolean hasHash(byte[] other) {
        return MessageDigest.isEqual(hash, other);
    }

    boolean isLike(Key other) {
        return name.equals(other.name) && hasHash(other.hash) && limits.equals(other.limits);
    }

    /// Counts a request.
    ///
    /// @throws Refusal where there were too many
    synchronized void request(long now) {
        if (requests != null && !requests.take(1, now)) {
            throw tooMuch(
                    "requests",
                    "%,d requests a minute".formatted(limits.requestsPerMinute().orElseThrow()),
                    requests.secondsUntil(1, now));
        }
    }

    /// Counts texts in progress.
    ///
    /// @throws Refusal where there are too many, or too many tokens were used
    synchronized void begin(int more, long now) {
        if (tokens != null && !tokens.take(0, now)) {
            throw tooMuch(
                    "tokens",
                    "%,d tokens a minute".formatted(limits.tokensPerMinute().orElseThrow()),
                    tokens.secondsUntil(0, now));
        }
        int most = limits.texts().orElse(Integer.MAX_VALUE);
        if (more > most - texts) {
            throw tooMuch("requests", "%,d texts at once".formatted(most), 1);
        }
        texts += more;
    }

    synchronized void end(int fewer) {
        texts -= fewer;
    }

    synchronized void used(long count, long now) {
        if (tokens != null) {
            tokens.spend((double) count, now);
        }
    }

    private Refusal tooMuch(String type, String limit, int seconds) {
        return Refusal.tooMuch(
                type, "the key %s may have %s; try again in %d s.".formatted(name, limit, seconds), seconds);
    }
}
