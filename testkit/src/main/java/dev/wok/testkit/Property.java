package dev.wok.testkit;

import dev.wok.tensor.Rng;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.SequencedMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// A statement that holds for all sizes: generates cases, and where one fails, looks for the smallest that still does.
///
/// ```java
/// Property.of("Matmul.nt").size("m", 0, 70).size("k", 0, 70).flag("accumulate").cases(40).check(c -> {
///     Tensor a = Tensors.normal(c.rng("a"), DType.F32, c.size("m"), c.size("k"));
///     ...
/// });
/// ```
///
/// Half of the sizes are awkward ones: nothing, one, primes, either side of a power of two. The first case has every
/// size at its smallest, the second at its largest.
public final class Property {
    private static final int[] AWKWARD = {
        0, 1, 2, 3, 4, 5, 7, 8, 13, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 127, 128, 129, 207, 255, 256, 257,
        511, 512, 513
    };

    private record Size(int least, int most) {}

    private final String id;
    private final SequencedMap<String, Size> sizes = new LinkedHashMap<>();
    private int cases = 30;

    private Property(String id) {
        this.id = id;
    }

    /// @param id the property's name: its seed comes from it
    public static Property of(String id) {
        return new Property(id);
    }

    /// Adds a size that varies from `least` to `most`, both inclusive.
    public Property size(String name, int least, int most) {
        if (least > most) {
            throw new IllegalArgumentException("%s from %d to %d".formatted(name, least, most));
        }
        sizes.put(name, new Size(least, most));
        return this;
    }

    /// Adds a choice between yes and no.
    public Property flag(String name) {
        return size(name, 0, 1);
    }

    /// @param count how many cases to generate; 30 unless told
    public Property cases(int count) {
        cases = count;
        return this;
    }

    /// Runs the cases.
    ///
    /// @throws AssertionError at the first that fails, naming its smallest form and the seed
    public void check(Consumer<Case> body) {
        long seed = Seeds.of(id);
        for (int i = 0; i < cases; i++) {
            Case generated = new Case(generate(new Rng(seed).split(i), i), new Rng(seed).split(i));
            Throwable failure = attempt(body, generated);
            if (failure != null) {
                throw report(seed, body, generated, failure);
            }
        }
    }

    private SequencedMap<String, Integer> generate(Rng rng, int number) {
        SequencedMap<String, Integer> values = new LinkedHashMap<>();
        int next = 0;
        for (var named : sizes.entrySet()) {
            Size size = named.getValue();
            int value = switch (number) {
                case 0 -> size.least;
                case 1 -> size.most;
                default -> pick(rng, next, size);
            };
            values.put(named.getKey(), value);
            next += 2;
        }
        return values;
    }

    private static int pick(Rng rng, int index, Size size) {
        int[] awkward = Arrays.stream(AWKWARD)
                .filter(v -> v >= size.least && v <= size.most)
                .toArray();
        boolean odd = awkward.length > 0 && (rng.bits(index) & 1) == 0;
        return odd
                ? awkward[rng.below(index + 1, awkward.length)]
                : size.least + rng.below(index + 1, size.most - size.least + 1);
    }

    /// @return what the body threw, or null
    private static @Nullable Throwable attempt(Consumer<Case> body, Case generated) {
        try {
            body.accept(generated);
            return null;
        } catch (RuntimeException | AssertionError e) {
            return e;
        }
    }

    /// Halves and decrements one size after the other for as long as the case keeps failing.
    private AssertionError report(long seed, Consumer<Case> body, Case failing, Throwable failure) {
        Case smallest = failing;
        Throwable last = failure;
        boolean smaller = true;
        while (smaller) {
            smaller = false;
            for (String name : sizes.keySet()) {
                int value = smallest.size(name);
                int least = sizes.get(name).least;
                for (int to : new int[] {least, least + (value - least) / 2, value - 1}) {
                    Case candidate = smallest.with(name, to);
                    Throwable thrown = to < value && to >= least ? attempt(body, candidate) : null;
                    if (thrown != null) {
                        smallest = candidate;
                        last = thrown;
                        smaller = true;
                        break;
                    }
                }
            }
        }
        return new AssertionError(
                "%s fails for %s (%s): %s".formatted(id, smallest, Seeds.hint(seed), last.getMessage()), last);
    }

    /// One set of sizes, and the random numbers that belong to it.
    public static final class Case {
        private final SequencedMap<String, Integer> sizes;
        private final Rng rng;

        private Case(SequencedMap<String, Integer> sizes, Rng rng) {
            this.sizes = sizes;
            this.rng = rng;
        }

        /// @return a size that the property named
        public int size(String name) {
            Integer value = sizes.get(name);
            if (value == null) {
                throw new IllegalArgumentException("the property has no size " + name);
            }
            return value;
        }

        /// @return a choice that the property named
        public boolean flag(String name) {
            return size(name) != 0;
        }

        /// @return this case's numbers for a purpose
        public Rng rng(String purpose) {
            return rng.split(purpose);
        }

        private Case with(String name, int value) {
            SequencedMap<String, Integer> changed = new LinkedHashMap<>(sizes);
            changed.put(name, value);
            return new Case(changed, rng);
        }

        @Override
        public String toString() {
            return sizes.toString();
        }
    }
}
