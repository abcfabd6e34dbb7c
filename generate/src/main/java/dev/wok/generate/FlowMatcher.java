package dev.wok.generate;

import dev.wok.generate.json.Matcher;
import dev.wok.generate.json.Trie;
import java.util.Arrays;
import java.util.BitSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Optional;
import java.util.Set;

/// One text of a form while it is generated: which tokens may come next. Not thread safe.
final class FlowMatcher {
    /// Of more values and free texts that begin alike the later ones are forgotten: what is left still leads to an
    /// end. Given texts and tokens are only as many as the form has.
    private static final int MOST_PLACES = 256;

    private static final byte[] NO_TEXT = {};

    private final Graph graph;
    private final Trie trie;
    private final int[] stops;
    private Set<Place> places = new LinkedHashSet<>();

    /// @param stopIds tokens that end the text
    FlowMatcher(Graph graph, Trie trie, Set<Integer> stopIds) {
        this.graph = graph;
        this.trie = trie;
        stops = stopIds.stream().mapToInt(id -> id).sorted().toArray();
        Set<Place> first = new LinkedHashSet<>();
        enter(graph.start(), first);
        first.forEach(place -> settle(place, places));
    }

    /// Sets the logits of all tokens to -infinity but those that may come next. Stop tokens may where the text
    /// may end.
    ///
    /// @param logits `[vocab]`
    void mask(float[] logits) {
        boolean mayEnd = mayEnd();
        float[] kept = new float[stops.length];
        for (int i = 0; i < stops.length; i++) {
            kept[i] = mayEnd || isPart(stops[i]) ? logits[stops[i]] : Float.NEGATIVE_INFINITY;
        }
        Optional<Place.InFree> free = places.stream()
                .filter(Place.InFree.class::isInstance)
                .map(Place.InFree.class::cast)
                .findFirst();
        if (free.isPresent()) {
            maskFree(free.get(), logits);
        } else {
            Masked.apply(logits, allowed());
        }
        for (int i = 0; i < stops.length; i++) {
            logits[stops[i]] = kept[i];
        }
    }

    private void maskFree(Place.InFree free, float[] logits) {
        for (int id : free.part().triggers().past(trie, free.state())) {
            if (places.stream().allMatch(place -> after(place, id).isEmpty())) {
                logits[id] = Float.NEGATIVE_INFINITY;
            }
        }
    }

    /// Where no text is free: a bit for each id.
    private long[] allowed() {
        if (places.size() == 1 && places.iterator().next() instanceof Place.InValue value) {
            return value.matcher().allowed();
        }
        long[] mask = new long[trie.words()];
        Set<Place> texts = new LinkedHashSet<>();
        for (Place place : places) {
            switch (place) {
                case Place.InText text -> texts.add(text);
                case Place.BeforeOne(Graph.One part) -> mask[part.id() / Long.SIZE] |= 1L << part.id();
                case Place.InValue value -> {
                    long[] allowed = value.matcher().allowed();
                    Arrays.setAll(mask, i -> mask[i] | allowed[i]);
                }
                case Place.InFree _, Place.Ended _ -> {}
            }
        }
        if (!texts.isEmpty()) {
            mark(0, trie.nodes(), texts, mask);
        }
        return mask;
    }

    /// Marks the tokens that given text allows.
    ///
    /// @param at where the bytes before these nodes lead
    private void mark(int from, int to, Set<Place> at, long[] mask) {
        for (int node = from; node < to; node = trie.end(node)) {
            Set<Place> after = after(at, trie.label(node));
            if (!after.isEmpty()) {
                trie.mark(node, mask);
                mark(node + 1, trie.end(node), after, mask);
            }
        }
    }

    /// @return whether a token ends the text, and is not part of it
    boolean ends(int id) {
        return isStop(id) && !isPart(id);
    }

    /// Adds a token to the text.
    ///
    /// @param id one that may come next and does not end it
    /// @throws IllegalArgumentException where it may not
    void accept(int id) {
        Set<Place> all = new LinkedHashSet<>();
        for (Place place : places) {
            after(place, id).forEach(next -> settle(next, all));
        }
        if (all.isEmpty()) {
            throw new IllegalArgumentException("token %d may not come next".formatted(id));
        }
        places = all;
    }

    /// @return whether the text so far is whole
    boolean mayEnd() {
        for (Place place : places) {
            if (place instanceof Place.Ended
                    || place instanceof Place.InFree free && free.part().mayEnd()) {
                return true;
            }
        }
        return false;
    }

    /// @return whether the text so far is whole and nothing can follow
    boolean mustEnd() {
        return places.stream().allMatch(Place.Ended.class::isInstance);
    }

    private boolean isStop(int id) {
        return Arrays.binarySearch(stops, id) >= 0;
    }

    /// @return whether a token is asked for by its id
    private boolean isPart(int id) {
        for (Place place : places) {
            boolean part = switch (place) {
                case Place.BeforeOne(Graph.One one) -> one.id() == id;
                case Place.InFree free -> free.part().ones().stream().anyMatch(one -> one.id() == id);
                case Place.InText _, Place.InValue _, Place.Ended _ -> false;
            };
            if (part) {
                return true;
            }
        }
        return false;
    }

    /// @return where a token leads
    private Set<Place> after(Place place, int id) {
        Set<Place> out = new LinkedHashSet<>();
        byte[] bytes = id < trie.size() ? trie.bytes(id) : NO_TEXT;
        switch (place) {
            case Place.InText text -> {
                if (bytes.length > 0 && !isStop(id)) {
                    return after(text, bytes);
                }
            }
            case Place.BeforeOne(Graph.One part) -> {
                if (part.id() == id) {
                    enter(part.next(), out);
                }
            }
            case Place.InValue(Graph.Value part, Matcher matcher) -> {
                if (id < trie.size() && (matcher.allowed()[id / Long.SIZE] >>> id & 1) != 0 && !isStop(id)) {
                    Matcher next = matcher.copy();
                    next.accept(id);
                    if (!next.mustEnd()) {
                        out.add(new Place.InValue(part, next));
                    }
                    if (next.mayEnd()) {
                        enter(part.next(), out);
                    }
                }
            }
            case Place.InFree free -> addAfter(free, id, bytes, out);
            case Place.Ended _ -> {}
        }
        return out;
    }

    private Set<Place> after(Place.InText text, byte[] bytes) {
        Set<Place> at = Set.of(text);
        for (int i = 0; i < bytes.length && !at.isEmpty(); i++) {
            at = after(at, bytes[i] & 0xFF);
        }
        return at;
    }

    /// @return where a byte of given text leads
    private Set<Place> after(Set<Place> places, int b) {
        Set<Place> out = new LinkedHashSet<>();
        for (Place place : places) {
            if (place instanceof Place.InText(Graph.Text part, int at) && (part.bytes()[at] & 0xFF) == b) {
                if (at + 1 < part.bytes().length) {
                    out.add(new Place.InText(part, at + 1));
                } else {
                    enter(part.next(), out);
                }
            }
        }
        return out;
    }

    private void addAfter(Place.InFree place, int id, byte[] bytes, Set<Place> out) {
        Graph.Free free = place.part();
        Triggers triggers = free.triggers();
        free.ones().stream().filter(one -> one.id() == id).forEach(one -> enter(one.next(), out));
        if (!out.isEmpty() || isStop(id) || triggers.runsPast(bytes, place.state())) {
            return;
        }
        int state = place.state();
        int missing = place.missing();
        for (byte b : bytes) {
            state = triggers.step(state, b & 0xFF);
            missing = missing(missing, b);
        }
        if (!triggers.found(state)) {
            boolean counts = free.most() != Graph.UNLIMITED;
            out.add(new Place.InFree(free, state, counts ? place.tokens() + 1 : 0, counts ? missing : 0));
            return;
        }
        for (int i = 0; i < free.texts().size(); i++) {
            if (triggers.found(state, i)) {
                enter(free.texts().get(i).next(), out);
            }
        }
    }

    /// @return how many bytes of a character are missing after one more
    private static int missing(int before, byte b) {
        return switch (Integer.numberOfLeadingZeros(~b << 3 * Byte.SIZE)) {
            case 0 -> 0;
            case 1 -> Math.max(0, before - 1);
            case 2 -> 1;
            case 3 -> 2;
            case 4 -> 3;
            default -> 0;
        };
    }

    /// Adds a place after a whole token; where free text has come to its limit, those of its triggers.
    private static void settle(Place place, Set<Place> out) {
        if (!(place instanceof Place.InFree at) || at.goesOn()) {
            boolean kept = switch (place) {
                case Place.InText _, Place.BeforeOne _, Place.Ended _ -> true;
                case Place.InValue _, Place.InFree _ -> out.size() < MOST_PLACES;
            };
            if (kept) {
                out.add(place);
            }
            return;
        }
        Graph.Free free = at.part();
        for (int i = 0; i < free.texts().size(); i++) {
            out.add(new Place.InText(free.texts().get(i), free.triggers().begun(at.state(), i)));
        }
        free.ones().forEach(one -> out.add(new Place.BeforeOne(one)));
        if (free.mayEnd()) {
            out.add(new Place.Ended());
        }
    }

    private void enter(int part, Set<Place> out) {
        enter(part, new BitSet(), out);
    }

    /// @param entered parts of which that is known already
    private void enter(int number, BitSet entered, Set<Place> out) {
        if (entered.get(number)) {
            return;
        }
        entered.set(number);
        switch (graph.part(number)) {
            case Graph.Text text -> out.add(new Place.InText(text, 0));
            case Graph.One one -> out.add(new Place.BeforeOne(one));
            case Graph.Value value ->
                out.add(new Place.InValue(value, value.grammar().matcher(trie)));
            case Graph.Free free -> out.add(new Place.InFree(free, 0, 0, 0));
            case Graph.Split(List<Integer> next) -> next.forEach(way -> enter(way, entered, out));
            case Graph.End _ -> out.add(new Place.Ended());
        }
    }
}
