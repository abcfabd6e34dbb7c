package dev.wok.generate.json;

import java.util.Collections;
import java.util.Set;
import java.util.SortedSet;
import java.util.TreeSet;

/// What a schema says about strings.
///
/// @param max [StringFrame#MANY] where it is not bounded
record Text(int min, int max, Set<String> patterns, Set<String> formats) {
    static final Text ALL = new Text(0, StringFrame.MANY, Set.of(), Set.of());

    Text and(Text other) {
        return new Text(
                Math.max(min, other.min),
                Math.min(max, other.max),
                union(patterns, other.patterns),
                union(formats, other.formats));
    }

    private static SortedSet<String> union(Set<String> a, Set<String> b) {
        SortedSet<String> both = new TreeSet<>(a);
        both.addAll(b);
        return Collections.unmodifiableSortedSet(both);
    }
}
