package dev.wok.generate.json;

/// Before the outermost value.
///
/// @param space a state of [Space]
record StartFrame(Node node, int space) implements Frame {
    @Override
    public void step(int b, Stack below, Steps out) {
        int next = Space.next(space, b, 0);
        if (next >= 0) {
            out.add(below.push(new StartFrame(node, next)));
        }
        node.start(b, Node.LEVELS, below, out);
    }

    @Override
    public boolean mayEnd() {
        return false;
    }
}
