package dev.wok.generate.json;

/// Within an array, between its elements.
///
/// @param room how many levels the array may take, itself included
/// @param count how many elements there are, those that are being read included; no more than matters
/// @param space a state of [Space]
record ArrayFrame(ArrayShape shape, int room, Place place, int count, int space) implements Frame {
    /// After what.
    enum Place {
        BRACKET,
        ELEMENT,
        COMMA,
        LAST
    }

    @Override
    public void step(int b, Stack below, Steps out) {
        boolean closes = place != Place.COMMA && count >= shape.min();
        if (b == ']') {
            if (closes) {
                out.add(below);
            }
            return;
        }
        if (place == Place.ELEMENT && b == ',') {
            if (count < shape.max()) {
                out.add(below.push(new ArrayFrame(shape, room, Place.COMMA, count, Space.NONE)));
            }
            return;
        }
        boolean begins = place == Place.BRACKET || place == Place.COMMA;
        int next = begins || closes ? Space.next(space, b, Node.LEVELS - room + 1) : -1;
        if (next >= 0) {
            Place then = place == Place.ELEMENT ? Place.LAST : place;
            out.add(below.push(new ArrayFrame(shape, room, then, count, next)));
        } else if (begins && count < shape.max()) {
            Frame after = new ArrayFrame(shape, room, Place.ELEMENT, shape.counted(count + 1), Space.NONE);
            shape.element(count).start(b, room - 1, below.push(after), out);
        }
    }

    @Override
    public boolean mayEnd() {
        return false;
    }

    @Override
    public Frame forMask(Trie trie) {
        int same = shape.countForMask(count, trie.mostCommas() + 2);
        return same == count ? this : new ArrayFrame(shape, room, place, same, space);
    }
}
