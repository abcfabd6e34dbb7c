package dev.wok.generate.json;

/// Below the outermost value: nothing follows it.
record Done() implements Frame {
    @Override
    public void step(int b, Stack below, Steps out) {}

    @Override
    public boolean mayEnd() {
        return true;
    }
}
