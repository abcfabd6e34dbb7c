package dev.wok.generate.json;

/// Within an object, outside of its names and values.
///
/// @param room how many levels the object may take, itself included
/// @param next the first declared member that can still come
/// @param count how many members there are, the one that is being read included; no more than matters
/// @param others the names of those that are not declared
/// @param member which one is being read; a negative number for one that is not declared
/// @param space a state of [Space]
record ObjectFrame(Fields fields, int room, Place place, int next, int count, Names others, int member, int space)
        implements Frame {
    private static final int OTHER = -1;

    /// After what.
    enum Place {
        BRACE,
        NAME,
        COLON,
        VALUE,
        COMMA,
        LAST
    }

    static ObjectFrame begun(Fields fields, int room) {
        return new ObjectFrame(fields, room, Place.BRACE, 0, 0, Names.NONE, OTHER, Space.NONE);
    }

    private ObjectFrame at(Place then, int spaceThen) {
        return new ObjectFrame(fields, room, then, next, count, others, member, spaceThen);
    }

    @Override
    public void step(int b, Stack below, Steps out) {
        switch (place) {
            case NAME -> {
                if (b == ':') {
                    out.add(below.push(at(Place.COLON, Space.NONE)));
                }
            }
            case COLON -> {
                if (b == ' ' && space == Space.NONE) {
                    out.add(below.push(at(Place.COLON, Space.next(space, b, 0))));
                } else {
                    ObjectFrame after =
                            new ObjectFrame(fields, room, Place.VALUE, next, count, others, OTHER, Space.NONE);
                    fields.node(member).start(b, room - 1, below.push(after), out);
                }
            }
            case BRACE, VALUE, COMMA, LAST -> between(b, below, out);
        }
    }

    private void between(int b, Stack below, Steps out) {
        boolean closes = place != Place.COMMA && fields.closes(next, count);
        boolean begins = place == Place.BRACE || place == Place.COMMA;
        if (b == '}') {
            if (closes) {
                out.add(below);
            }
        } else if (b == ',') {
            if (place == Place.VALUE && fields.goesOn(next, count, others.size())) {
                out.add(below.push(at(Place.COMMA, Space.NONE)));
            }
        } else if (b == '"') {
            if (begins) {
                name(below, out);
            }
        } else if (begins || closes) {
            int spaceThen = Space.next(space, b, Node.LEVELS - room + 1);
            if (spaceThen >= 0) {
                out.add(below.push(at(place == Place.VALUE ? Place.LAST : place, spaceThen)));
            }
        }
    }

    private void name(Stack below, Steps out) {
        ObjectFrame same = at(Place.COMMA, Space.NONE);
        if (first() <= last()) {
            out.add(below.push(new NameFrame(same, NameTree.ROOT)));
        }
        if (fields.takesOther(next, count, others.size())) {
            out.add(below.push(new OtherNameFrame(same, Bytes.NONE, StringBytes.BETWEEN)));
        }
    }

    /// The first declared member that may come next.
    int first() {
        return fields.first(next, count);
    }

    /// The last one.
    int last() {
        return fields.last(next, count, others.size());
    }

    /// @return this after the name of a declared member
    ObjectFrame named(int index) {
        return new ObjectFrame(
                fields, room, Place.NAME, index + 1, fields.counted(count + 1), others, index, Space.NONE);
    }

    /// @return this after another name
    ObjectFrame named(Bytes name) {
        return new ObjectFrame(
                fields,
                room,
                Place.NAME,
                fields.size(),
                fields.counted(count + 1),
                others.plus(name),
                OTHER,
                Space.NONE);
    }

    /// @return whether all names that begin so can be that of a member that is not declared
    boolean takesAll(Bytes beginning) {
        return !fields.declares(beginning) && !others.contain(beginning);
    }

    /// @return whether a name that is not declared can be this one
    boolean takes(Bytes name) {
        return !fields.isDeclared(name) && !others.contains(name);
    }

    @Override
    public boolean mayEnd() {
        return false;
    }
}
