package dev.wok.kernel.x86;

import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.Function;

/// A tiling for every kind and size of product. Panels are as wide as a tile and serve products of every size, so the
/// vectors of a kind are the same for all sizes.
record Tilings(Map<Key, Tiling> table) {
    /// Products by the rows of their result.
    enum Size {
        SMALL,
        MEDIUM,
        LARGE;

        private static final int MEDIUM_FROM = 64;
        private static final int LARGE_FROM = 512;

        static Size of(int rows) {
            return rows < MEDIUM_FROM ? SMALL : rows < LARGE_FROM ? MEDIUM : LARGE;
        }
    }

    record Key(Tile.Kind kind, Size size) {
        String text() {
            return "%s.%s".formatted(kind, size).toLowerCase(Locale.ROOT);
        }
    }

    Tilings {
        table = Map.copyOf(table);
    }

    /// @return the kinds of products that [Gemm] computes
    static List<Tile.Kind> kinds(Isa isa) {
        return isa.hasBf16() ? List.of(Tile.Kind.F32, Tile.Kind.BF16) : List.of(Tile.Kind.F32);
    }

    /// @return what is used where nothing was measured
    static Tiling usual(Isa isa) {
        return isa.hasMasks() ? new Tiling(8, 3, 96, 8) : new Tiling(6, 2, 96, 8);
    }

    static Tilings usualFor(Isa isa) {
        return of(isa, _ -> usual(isa));
    }

    /// @throws IllegalArgumentException where a tiling does not fit the registers, or the vectors of a kind differ
    static Tilings of(Isa isa, Function<Key, Tiling> choice) {
        Map<Key, Tiling> table = new HashMap<>();
        for (Tile.Kind kind : kinds(isa)) {
            int vectors = choice.apply(new Key(kind, Size.SMALL)).vectors();
            for (Size size : Size.values()) {
                Key key = new Key(kind, size);
                Tiling tiling = choice.apply(key);
                if (!tiling.fits(isa) || tiling.vectors() != vectors) {
                    throw new IllegalArgumentException("no tiling here: " + tiling.text());
                }
                table.put(key, tiling);
            }
        }
        return new Tilings(table);
    }

    Tiling of(Tile.Kind kind, int rows) {
        return of(new Key(kind, Size.of(rows)));
    }

    Tiling of(Key key) {
        Tiling tiling = table.get(key);
        if (tiling == null) {
            throw new IllegalArgumentException("no products of kind " + key.text());
        }
        return tiling;
    }

    int vectors(Tile.Kind kind) {
        return of(kind, 1).vectors();
    }
}
