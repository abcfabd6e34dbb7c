package dev.wok.model;

import dev.wok.kernel.PageTable;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.stream.IntStream;

/// All whole numbers that a device needs to read tokens into a cache, in one array, so that they travel at once.
///
/// @param shape how many of each there are
/// @param values ids, then positions, zeros where keys begin, the sequences' starts, their pages, and the rows that
///     somebody wants
record Reading(Shape shape, int[] values) {
    /// Readings of one shape take the same work.
    ///
    /// @param most pages of a sequence
    /// @param wanted how many rows somebody wants
    record Shape(int tokens, int sequences, int most, int wanted) {
        private int size() {
            return 3 * tokens + sequences + 1 + sequences * most + wanted;
        }
    }

    /// The numbers on a device.
    ///
    /// @param ids `[tokens]`
    /// @param positions `[tokens]`
    /// @param keyStart `[tokens]`
    /// @param wanted `[wanted]`
    record Here(Tensor ids, Tensor positions, Tensor keyStart, PageTable table, Tensor wanted) {}

    /// @param wanted rows of the batch
    /// @param alike whether tables of similar length get one length, so that more readings have the same shape
    static Reading of(List<Chunk> chunks, int[] wanted, boolean alike) {
        int tokens = chunks.stream().mapToInt(chunk -> chunk.ids().length).sum();
        int used = chunks.stream()
                .mapToInt(chunk -> CachePages.pages(chunk.to()))
                .max()
                .orElse(0);
        int most = alike ? Integer.highestOneBit(Math.max(1, 2 * used - 1)) : used;
        Shape shape = new Shape(tokens, chunks.size(), most, wanted.length);
        int[] values = new int[shape.size()];
        int starts = 3 * tokens;
        int pages = starts + chunks.size() + 1;
        int at = 0;
        for (int i = 0; i < chunks.size(); i++) {
            Chunk chunk = chunks.get(i);
            int count = chunk.ids().length;
            System.arraycopy(chunk.ids(), 0, values, at, count);
            for (int t = 0; t < count; t++) {
                values[tokens + at + t] = chunk.from() + t;
            }
            System.arraycopy(chunk.pages(), 0, values, pages + i * most, CachePages.pages(chunk.to()));
            at += count;
            values[starts + i + 1] = at;
        }
        System.arraycopy(wanted, 0, values, values.length - wanted.length, wanted.length);
        return new Reading(shape, values);
    }

    /// @return the rows of a batch whose logits are wanted
    static int[] wanted(List<Chunk> chunks) {
        IntStream.Builder rows = IntStream.builder();
        int end = 0;
        for (Chunk chunk : chunks) {
            end += chunk.ids().length;
            for (int i = chunk.logits(); i > 0; i--) {
                rows.add(end - i);
            }
        }
        return rows.build().toArray();
    }

    /// @param all [#values] on a device
    Here on(Tensor all) {
        int starts = 3 * shape.tokens;
        int pages = starts + shape.sequences + 1;
        int wanted = values.length - shape.wanted;
        PageTable table = new PageTable(
                all.slice(0, starts, pages), all.slice(0, pages, wanted).reshape(shape.sequences, shape.most));
        return new Here(
                all.slice(0, 0, shape.tokens),
                all.slice(0, shape.tokens, 2L * shape.tokens),
                all.slice(0, 2L * shape.tokens, starts),
                table,
                all.slice(0, wanted, values.length));
    }
}
