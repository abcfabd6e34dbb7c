package dev.wok.generate.json;

/// Within the name of a declared member.
///
/// @param object what it is in
/// @param at a place in its tree of names
record NameFrame(ObjectFrame object, int at) implements Frame {
    @Override
    public void step(int b, Stack below, Steps out) {
        NameTree tree = object.fields().tree();
        int next = tree.child(at, b);
        if (next >= 0 && tree.leads(next, object.first(), object.last())) {
            int name = tree.name(next);
            out.add(below.push(name < 0 ? new NameFrame(object, next) : object.named(name)));
        }
    }

    @Override
    public boolean mayEnd() {
        return false;
    }
}
