package dev.wok.generate.json;

import java.util.ArrayList;
import java.util.List;

/// What a schema says about arrays.
///
/// @param first the elements at the beginning, one after the other
/// @param rest all further elements
/// @param max [ArrayShape#MANY] where it is not bounded
record Items(List<Both> first, Both rest, int min, int max) {
    static final Items ALL = new Items(List.of(), Both.ALL, 0, ArrayShape.MANY);

    Both element(int index) {
        return index < first.size() ? first.get(index) : rest;
    }

    Items and(Items other) {
        List<Both> both = new ArrayList<>();
        for (int i = 0; i < Math.max(first.size(), other.first.size()); i++) {
            both.add(element(i).and(other.element(i)));
        }
        return new Items(both, rest.and(other.rest), Math.max(min, other.min), Math.min(max, other.max));
    }
}
