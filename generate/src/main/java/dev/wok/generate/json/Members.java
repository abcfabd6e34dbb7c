package dev.wok.generate.json;

import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.SequencedMap;
import java.util.SequencedSet;

/// What a schema says about objects.
///
/// @param declared the members that it names, in its order
/// @param other all other members
/// @param max [ArrayShape#MANY] where it is not bounded
record Members(SequencedMap<String, Both> declared, SequencedSet<String> required, Both other, int min, int max) {
    static final Members ALL = new Members(new LinkedHashMap<>(), new LinkedHashSet<>(), Both.ALL, 0, ArrayShape.MANY);

    Both member(String name) {
        return declared.getOrDefault(name, other);
    }

    Members and(Members more) {
        SequencedMap<String, Both> both = new LinkedHashMap<>();
        declared.forEach((name, member) -> both.put(name, member.and(more.member(name))));
        more.declared.forEach((name, member) -> both.putIfAbsent(name, other.and(member)));
        SequencedSet<String> all = new LinkedHashSet<>(required);
        all.addAll(more.required);
        return new Members(both, all, other.and(more.other), Math.max(min, more.min), Math.min(max, more.max));
    }
}
