package dev.wok.generate.json;

/// Within the name of a member that is not declared. It has no escapes, so that it can be compared with
/// others by its bytes.
///
/// @param object what it is in
/// @param name the bytes so far
/// @param at a state of [StringBytes]
record OtherNameFrame(ObjectFrame object, Bytes name, int at) implements Frame {
    @Override
    public void step(int b, Stack below, Steps out) {
        if (b == '"' && at == StringBytes.BETWEEN) {
            if (object.takes(name)) {
                out.add(below.push(object.named(name)));
            }
            return;
        }
        int next = b == '\\' ? -1 : StringBytes.next(at, b);
        if (next >= 0) {
            out.add(below.push(new OtherNameFrame(object, name.plus(b), next)));
        }
    }

    @Override
    public boolean mayEnd() {
        return false;
    }
}
