package dev.wok.model;

import dev.wok.fabric.Departed;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.IntStream;

/// What ranks of a pipeline have to know of tokens that the first of them reads into a cache. As it
/// travels, ints, big-endian: version, tokens, sequences, pages of a sequence, pages in all, then the
/// [Reading]'s values, of which nobody wants rows.
///
/// @param reading whose tables count the pages that are used
/// @param pages which ones of the first rank's cache these are
record StageReading(Reading reading, int[] pages) {
    private static final int VERSION = 1;
    private static final int FIELDS = 5;

    static StageReading of(Reading all) {
        Reading.Shape shape = all.shape();
        int[] values = Arrays.copyOf(all.values(), all.values().length - shape.wanted());
        int starts = 3 * shape.tokens();
        int table = starts + shape.sequences() + 1;
        Map<Integer, Integer> places = new LinkedHashMap<>();
        for (int s = 0; s < shape.sequences(); s++) {
            int last = values[starts + s + 1] - 1;
            int used = CachePages.pages(values[shape.tokens() + last] + 1);
            for (int i = 0; i < shape.most(); i++) {
                int at = table + s * shape.most() + i;
                values[at] = i < used ? places.computeIfAbsent(values[at], _ -> places.size()) : 0;
            }
        }
        Reading.Shape unwanted = new Reading.Shape(shape.tokens(), shape.sequences(), shape.most(), 0);
        return new StageReading(
                new Reading(unwanted, values),
                places.keySet().stream().mapToInt(Integer::intValue).toArray());
    }

    byte[] bytes() {
        int[] values = reading.values();
        Reading.Shape shape = reading.shape();
        ByteBuffer bytes = ByteBuffer.allocate((FIELDS + values.length) * Integer.BYTES);
        bytes.putInt(VERSION).putInt(shape.tokens()).putInt(shape.sequences()).putInt(shape.most());
        bytes.putInt(pages.length);
        for (int value : values) {
            bytes.putInt(value);
        }
        return bytes.array();
    }

    /// @param positions that a token may have
    /// @return what the first rank said; its pages are numbered from 0 on
    /// @throws Departed where that cannot be
    static StageReading of(byte[] bytes, int positions) {
        int[] all = new int[bytes.length / Integer.BYTES];
        ByteBuffer.wrap(bytes).asIntBuffer().get(all);
        if (all.length < FIELDS || all[0] != VERSION) {
            throw refused(bytes.length);
        }
        Reading.Shape shape = new Reading.Shape(all[1], all[2], all[3], 0);
        int pages = all[4];
        int[] values = Arrays.copyOfRange(all, FIELDS, all.length);
        if (!isWhole(shape, values, pages, positions)) {
            throw refused(bytes.length);
        }
        return new StageReading(
                new Reading(shape, values), IntStream.range(0, pages).toArray());
    }

    private static Departed refused(int bytes) {
        return new Departed(
                0,
                "rank 0 sent %d bytes that are no text to read; start all ranks from the same Wok.".formatted(bytes));
    }

    private static boolean isWhole(Reading.Shape shape, int[] values, int pages, int positions) {
        long tokens = shape.tokens();
        long sequences = shape.sequences();
        long most = shape.most();
        if (tokens < 1 || tokens > Model.CHUNK || sequences < 1 || sequences > tokens || most < 1) {
            return false;
        }
        long starts = 3 * tokens;
        if (values.length != starts + sequences + 1 + sequences * most || pages < 1 || pages > sequences * most) {
            return false;
        }
        int table = (int) (starts + sequences + 1);
        boolean right = values[(int) starts] == 0 && values[table - 1] == tokens;
        for (int i = (int) starts; i + 1 < table; i++) {
            right &= values[i] < values[i + 1];
        }
        right &= Arrays.stream(values, shape.tokens(), 2 * shape.tokens())
                .allMatch(position -> position >= 0 && position < Math.min(positions, most * CachePages.TOKENS));
        right &= Arrays.stream(values, 2 * shape.tokens(), 3 * shape.tokens()).allMatch(start -> start == 0);
        return right && Arrays.stream(values, table, values.length).allMatch(page -> page >= 0 && page < pages);
    }
}
