package dev.wok.tune;

import dev.wok.model.Batch;
import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// Texts one after another in one sequence, without padding, each blind to the others. Texts next to
/// each other that begin alike before anything is learnt, as answers to one question do, have that
/// beginning together.
///
/// @param batch the sequence
/// @param examples which texts it holds, by their place in the list that was packed
record Packed(Batch batch, List<Integer> examples) {
    /// Tokens of a beginning that are worth sharing.
    private static final int LEAST = 8;

    /// A text to be packed.
    ///
    /// @param rows what comes after the last target's tells nothing
    /// @param common rows before the first target's, which others may have too; one row is always its
    ///     own
    private record Text(Example example, int rows, int common) {
        static Text of(Example example) {
            boolean[] learn = example.learn();
            int rows = learn.length - 1;
            while (rows > 1 && !learn[rows]) {
                rows--;
            }
            rows = Math.max(1, rows);
            int common = 0;
            while (common + 1 < rows && !learn[common + 1]) {
                common++;
            }
            return new Text(example, rows, common);
        }

        /// @return how many rows both begin with
        int alike(Text other) {
            int most = Math.min(common, other.common);
            int mismatch = Arrays.mismatch(example.ids(), 0, most, other.example.ids(), 0, most);
            return mismatch < 0 ? most : mismatch;
        }
    }

    /// Packs texts in their order.
    ///
    /// @param capacity tokens of a batch, at most, common ones counted for each text
    /// @throws BadInput where a text is longer than that
    static List<Packed> of(List<Example> examples, int capacity) {
        List<Packed> all = new ArrayList<>();
        List<Text> texts = new ArrayList<>();
        int tokens = 0;
        for (int i = 0; i < examples.size(); i++) {
            requireFits(examples.get(i), capacity);
            Text text = Text.of(examples.get(i));
            if (tokens + text.rows > capacity) {
                all.add(pack(texts, i - texts.size()));
                texts.clear();
                tokens = 0;
            }
            texts.add(text);
            tokens += text.rows;
        }
        if (tokens > 0) {
            all.add(pack(texts, examples.size() - texts.size()));
        }
        return all;
    }

    /// @throws BadInput where a text is longer than a batch
    static void requireFits(Example example, int capacity) {
        if (example.ids().length > capacity) {
            throw new BadInput("a text has %d tokens, a micro-batch holds %d; raise micro_batch_tokens."
                    .formatted(example.ids().length, capacity));
        }
    }

    /// @param place of the first text in the list that is packed
    private static Packed pack(List<Text> texts, int place) {
        int tokens = texts.stream().mapToInt(Text::rows).sum();
        int[] ids = new int[tokens];
        int[] targets = new int[tokens];
        int[] positions = new int[tokens];
        int[] starts = new int[tokens];
        int[] begins = new int[tokens];
        int row = 0;
        int first = 0;
        int firstRow = 0;
        for (int i = 0; i < texts.size(); i++) {
            int known = i == 0 ? 0 : texts.get(first).alike(texts.get(i));
            if (known < LEAST || savesMore(texts, i, known)) {
                known = 0;
                first = i;
                firstRow = row;
            }
            int[] all = texts.get(i).example.ids();
            boolean[] learn = texts.get(i).example.learn();
            int start = row;
            for (int t = known; t < texts.get(i).rows; t++, row++) {
                ids[row] = all[t];
                targets[row] = t + 1 < all.length && learn[t + 1] ? all[t + 1] : -1;
                positions[row] = t;
                starts[row] = start;
                begins[row] = known > 0 ? firstRow : start;
            }
        }
        Batch batch = new Batch(
                1,
                row,
                Arrays.copyOf(ids, row),
                Arrays.copyOf(targets, row),
                Arrays.copyOf(positions, row),
                Arrays.copyOf(starts, row),
                Arrays.copyOf(begins, row));
        return new Packed(
                batch, IntStream.range(place, place + texts.size()).boxed().toList());
    }

    /// Whether a text should have all of its beginning, because those after it save more than it
    /// would: they answer the same question, and those before share no more than a system prompt.
    ///
    /// @param known how many rows it could have from a text before
    private static boolean savesMore(List<Text> texts, int i, int known) {
        int saved = 0;
        for (int j = i + 1; j < texts.size() && saved <= known; j++) {
            int alike = texts.get(i).alike(texts.get(j));
            if (alike <= known) {
                return false;
            }
            saved += alike - known;
        }
        return saved > known;
    }
}
