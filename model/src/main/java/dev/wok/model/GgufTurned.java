package dev.wok.model;

import dev.wok.kernel.Packed;

/// Queries or keys of Llama, whose rows llama.cpp's converter reorders: it turns neighbours,
/// transformers an element of a head's first half with one of its second.
///
/// @param from as the file holds them
/// @param headDim rows of a head
record GgufTurned(Stored from, int headDim) implements Stored {
    @Override
    public long[] shape() {
        return from.shape();
    }

    @Override
    public long bytes() {
        return from.bytes();
    }

    /// @return where the file has what transformers has at `row`
    private long place(long row) {
        int half = headDim / 2;
        long head = row / headDim;
        long i = row % headDim;
        return head * headDim + i % half * 2 + i / half;
    }

    @Override
    public void row(long row, float[] to) {
        if (shape().length >= 2) {
            from.row(place(row), to);
            return;
        }
        float[] bias = new float[to.length];
        from.row(0, bias);
        for (int i = 0; i < to.length; i++) {
            to[i] = bias[(int) place(i)];
        }
    }

    @Override
    public void put(long row, Packed to, long at) {
        from.put(place(row), to, at);
    }
}
