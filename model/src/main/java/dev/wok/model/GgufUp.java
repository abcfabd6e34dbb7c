package dev.wok.model;

import java.util.stream.LongStream;

/// What expands latents, `[heads * (nope + v), rank]`, where the file has keys and values apart and the
/// keys transposed.
///
/// @param keys `[heads, rank, nope]`
/// @param values `[heads, v, rank]`
record GgufUp(GgufRows keys, GgufRows values) implements Stored {
    @Override
    public long[] shape() {
        long[] k = keys.shape();
        long[] v = values.shape();
        return new long[] {k[0] * (k[2] + v[1]), v[2]};
    }

    @Override
    public long bytes() {
        return keys.bytes() + values.bytes();
    }

    @Override
    public void row(long row, float[] to) {
        long nope = keys.shape()[2];
        long value = values.shape()[1];
        long head = row / (nope + value);
        int i = (int) (row % (nope + value));
        if (i >= nope) {
            values.row(head * value + i - nope, to);
            return;
        }
        for (int r = 0; r < to.length; r++) {
            to[r] = keys.element(head * to.length + r, i);
        }
    }

    /// Row by row: what is filled lies apart too.
    @Override
    public void put(Place.Up to) {
        LongStream.range(0, to.keys().rows()).parallel().forEach(row -> keys.put(row, to.keys(), row));
        LongStream.range(0, to.values().rows()).parallel().forEach(row -> values.put(row, to.values(), row));
    }
}
