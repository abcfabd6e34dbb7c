package dev.wok.device.emulated;

import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/// What releases left at the places of memory that threads signal each other with.
final class Flags {
    private record Place(Region region, long offset) {
        @Override
        public boolean equals(@Nullable Object other) {
            return other instanceof Place place && place.region == region && place.offset == offset;
        }

        @Override
        public int hashCode() {
            return System.identityHashCode(region) * 31 + Long.hashCode(offset);
        }
    }

    private final Map<Place, Ordering.Published> published = new HashMap<>();

    Ordering.@Nullable Published get(Region region, long offset) {
        return published.isEmpty() ? null : published.get(new Place(region, offset));
    }

    void put(Region region, long offset, Ordering.Published what) {
        published.put(new Place(region, offset), what);
    }

    void remove(Region region, long offset) {
        published.remove(new Place(region, offset));
    }
}
