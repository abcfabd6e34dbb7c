package dev.wok.testkit;

import dev.wok.tensor.Rng;

/// Seeds of tests: a test's own by its name, so that cases are random and yet the same in every run, or the one that
/// `-Dwok.seed=NUMBER` gives, to repeat a failure or to try others.
public final class Seeds {
    private static final String PROPERTY = "wok.seed";

    private Seeds() {}

    /// @param id the test's name
    /// @return its seed
    public static long of(String id) {
        Long given = Long.getLong(PROPERTY);
        return given != null ? given : new Rng(0).split(id).seed();
    }

    /// @return numbers for the test of this name
    public static Rng rng(String id) {
        return new Rng(of(id));
    }

    /// @return the hint that a failure's message carries
    public static String hint(long seed) {
        return "repeat with -D%s=%d".formatted(PROPERTY, seed);
    }
}
