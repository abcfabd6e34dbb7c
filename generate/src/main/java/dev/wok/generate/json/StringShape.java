package dev.wok.generate.json;

/// Strings of a bounded length.
///
/// @param max [StringFrame#MANY] where it is not bounded
record StringShape(int min, int max) implements Shape {
    @Override
    public int height() {
        return min > max ? Node.ENDLESS : 0;
    }

    @Override
    public void start(int b, int room, Stack below, Steps out) {
        if (b == '"') {
            out.add(below.push(new StringFrame(StringBytes.BETWEEN, min, max)));
        }
    }
}
