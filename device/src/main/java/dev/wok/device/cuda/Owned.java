package dev.wok.device.cuda;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/// What is open of a GPU or of a stream, and is closed with it.
final class Owned {
    /// Something that is closed once: by whoever asked for it, or by its owner.
    interface Part {
        void close();
    }

    private final Set<Part> parts = new LinkedHashSet<>();

    synchronized <T extends Part> T add(T part) {
        parts.add(part);
        return part;
    }

    /// @return whether it was there: its first closing
    synchronized boolean remove(Part part) {
        return parts.remove(part);
    }

    synchronized boolean has(Part part) {
        return parts.contains(part);
    }

    private synchronized List<Part> all() {
        return new ArrayList<>(parts).reversed();
    }

    /// Closes all, the newest first.
    void close(Closing closing) {
        all().forEach(part -> closing.then(part::close));
    }
}
