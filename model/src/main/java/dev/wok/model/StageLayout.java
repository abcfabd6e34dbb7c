package dev.wok.model;

import dev.wok.fabric.Departed;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/// The bytes of what travels between two stages of a pipeline:
///
/// ```
///  0  version
///  4  kind
///  8  the stage that it is for
/// 12  number of the micro-batch
/// 16  tokens
/// 20  width of a token
/// 24  zeros
/// 64  rows, float32, `[tokens, width]`
///     pages of a cache, where a text is read
/// ```
///
/// Numbers are ints, little-endian; rows and pages are as memory has them.
record StageLayout(Kind kind, int stage, int microBatch, int tokens, int width) {
    /// What rows are. Its code is its place here.
    enum Kind {
        FORWARD("hidden states"),
        BACKWARD("a gradient"),
        READ("hidden states of a text");

        private final String text;

        Kind(String text) {
            this.text = text;
        }
    }

    static final int VERSION = 1;
    static final int HEADER = 64;
    private static final ValueLayout.OfInt INT = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int FIELDS = 6;

    /// @return float32 numbers that such a message has room in, without pages
    static long floats(long tokens, long width) {
        return HEADER / Float.BYTES + tokens * width;
    }

    /// @param message one dimension of float32, as long as this one or longer
    /// @return its rows, a view
    Tensor rows(Tensor message) {
        return message.slice(0, HEADER / Float.BYTES, floats(tokens, width)).reshape(tokens, width);
    }

    /// @return such a message's bytes, without pages
    MemorySegment bytes(Tensor message) {
        return message.memory().asSlice(0, floats(tokens, width) * Float.BYTES);
    }

    void write(MemorySegment message) {
        message.asSlice(0, HEADER).fill((byte) 0);
        int[] fields = fields();
        for (int i = 0; i < FIELDS; i++) {
            message.set(INT, (long) i * Integer.BYTES, fields[i]);
        }
    }

    private int[] fields() {
        return new int[] {VERSION, kind.ordinal(), stage, microBatch, tokens, width};
    }

    /// @param from who sent it
    /// @throws Departed where a message is another one: it says which
    void require(MemorySegment message, int from) {
        int[] expected = fields();
        int[] found = new int[FIELDS];
        boolean same = true;
        for (int i = 0; i < FIELDS; i++) {
            found[i] = message.get(INT, (long) i * Integer.BYTES);
            same &= found[i] == expected[i];
        }
        if (!same) {
            throw new Departed(
                    from, "rank %d sent %s where %s was expected.".formatted(from, text(found), text(expected)));
        }
    }

    private static String text(int[] fields) {
        Kind[] kinds = Kind.values();
        String what = fields[1] >= 0 && fields[1] < kinds.length ? kinds[fields[1]].text : "rows of kind " + fields[1];
        return "%s (version %d) of micro-batch %d for stage %d, %d tokens of %d"
                .formatted(what, fields[0], fields[3], fields[2], fields[4], fields[5]);
    }
}
