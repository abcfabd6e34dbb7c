package dev.wok.model;

import dev.wok.device.Workspace;
import dev.wok.kernel.PageTable;
import dev.wok.tensor.Tensor;
import java.util.List;
import java.util.Objects;
import java.util.function.BiConsumer;
import org.jspecify.annotations.Nullable;

/// A batch of which documents begin alike, as attention sees it: each whole, with copies of the rows
/// that it has in common with others. All else of a layer computes a common beginning once.
///
/// @param rows `[whole]`, I32: the batch's row that each is
/// @param owners `[whole]`, I32: the same where it is the document's own, else -1
/// @param copies `[whole]`, I32: the same where it is another document's, else -1
/// @param own `[tokens]`, I32: which of these is each row of the batch, in its own document
/// @param keyStart `[whole]`, I32, among these
/// @param positions `[whole]`, I32
/// @param table which pages of a layer's cache each document has, or null for a pass without one
record WholeTexts(
        Tensor rows,
        Tensor owners,
        Tensor copies,
        Tensor own,
        Tensor keyStart,
        Tensor positions,
        @Nullable PageTable table) {
    /// @param whole where in pages each document is read as a whole, or null for a pass without a cache
    /// @return null where documents have nothing in common
    static @Nullable WholeTexts of(
            Network network, Workspace workspace, List<Batch.Text> texts, Reading.@Nullable Here whole) {
        if (texts.stream().allMatch(text -> text.shared() == 0)) {
            return null;
        }
        int count = texts.stream().mapToInt(Batch.Text::length).sum();
        int[] rows = new int[count];
        int[] owners = new int[count];
        int[] copies = new int[count];
        int[] keyStart = new int[count];
        int[] positions = new int[count];
        int[] own = new int[texts.getLast().to()];
        int start = 0;
        for (Batch.Text text : texts) {
            for (int i = 0; i < text.length(); i++) {
                int row = text.row(i);
                rows[start + i] = row;
                owners[start + i] = i < text.shared() ? -1 : row;
                copies[start + i] = i < text.shared() ? row : -1;
                keyStart[start + i] = start;
                positions[start + i] = i;
                if (i >= text.shared()) {
                    own[row] = start + i;
                }
            }
            start += text.length();
        }
        return new WholeTexts(
                network.ints(workspace, rows),
                network.ints(workspace, owners),
                network.ints(workspace, copies),
                network.ints(workspace, own),
                network.ints(workspace, keyStart),
                whole == null ? network.ints(workspace, positions) : whole.positions(),
                whole == null ? null : whole.table());
    }

    int count() {
        return rows.size(0);
    }

    /// [dev.wok.kernel.Attention#forward] over rows of the batch.
    ///
    /// @param q `[tokens, heads, qkDim]`; so are all but `lse`
    /// @param lse `[whole, heads]`, written
    void attend(Pass p, Tensor q, Tensor k, Tensor v, double scale, Tensor out, Tensor lse) {
        try (var _ = p.workspace().scope()) {
            Tensor outs = p.tensor(count(), out.dim(1), out.dim(2));
            p.kernels()
                    .attention()
                    .forward(pick(p, rows, q), pick(p, rows, k), pick(p, rows, v), keyStart, scale, outs, lse);
            pick(p, own, outs, out);
        }
    }

    /// [dev.wok.kernel.Attention#backward] over rows of the batch.
    void attendBackward(
            Pass p,
            Tensor q,
            Tensor k,
            Tensor v,
            double scale,
            Tensor out,
            Tensor lse,
            Tensor dOut,
            Tensor dq,
            Tensor dk,
            Tensor dv) {
        try (var _ = p.workspace().scope()) {
            Tensor dqs = p.tensor(count(), dq.dim(1), dq.dim(2));
            Tensor dks = p.tensor(count(), dk.dim(1), dk.dim(2));
            Tensor dvs = p.tensor(count(), dv.dim(1), dv.dim(2));
            p.kernels()
                    .attention()
                    .backward(
                            pick(p, rows, q),
                            pick(p, rows, k),
                            pick(p, rows, v),
                            keyStart,
                            scale,
                            pick(p, rows, out),
                            lse,
                            pick(p, owners, dOut),
                            dqs,
                            dks,
                            dvs);
            // Copies of a row have no output, so that its query has the slope of one place alone.
            pick(p, own, dqs, dq);
            sum(p, dks, dk);
            sum(p, dvs, dv);
        }
    }

    /// Writes to a layer's cache what all tokens of each document leave there.
    ///
    /// @param row `[tokens, heads, n]`
    /// @param places `[pages, TOKENS, heads, n]`
    void keep(Pass p, Tensor row, Tensor places) {
        try (var _ = p.workspace().scope()) {
            PageTable pages = Objects.requireNonNull(table, "this pass has no cache");
            p.kernels().elementwise().castToPages(pick(p, rows, row), places, pages, positions);
        }
    }

    private static Tensor pick(Pass p, Tensor ids, Tensor x) {
        Tensor to = p.tensor(ids.dim(0), x.dim(1), x.dim(2));
        pick(p, ids, x, to);
        return to;
    }

    private static void pick(Pass p, Tensor ids, Tensor x, Tensor to) {
        eachPart(x, to, (from, picked) -> p.kernels().embedding().forward(ids, from, picked));
    }

    /// A row's slope is the sum of its copies'.
    private void sum(Pass p, Tensor d, Tensor to) {
        pick(p, own, d, to);
        eachPart(d, to, (from, sums) -> p.kernels().embedding().backward(copies, from, sums));
    }

    /// Sees both as rows of adjacent elements: all heads together where they lie so.
    private static void eachPart(Tensor x, Tensor to, BiConsumer<Tensor, Tensor> part) {
        if (x.stride(1) == x.dim(2) && to.stride(1) == to.dim(2)) {
            part.accept(x.join(1), to.join(1));
            return;
        }
        for (int head = 0; head < x.dim(1); head++) {
            part.accept(x.select(1, head), to.select(1, head));
        }
    }
}
