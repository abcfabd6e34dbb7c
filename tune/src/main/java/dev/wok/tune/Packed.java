package dev.wok.tune;

import dev.wok.model.Batch;
import dev.wok.notice.BadInput;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Texts one after another in one sequence, without padding, each blind to the others.
///
/// @param batch the sequence
/// @param examples which texts it holds, by their place in the list that was packed
record Packed(Batch batch, List<Integer> examples) {
    /// Packs texts in their order.
    ///
    /// @param capacity tokens of a batch, at most
    /// @throws BadInput where a text is longer than that
    static List<Packed> of(List<Example> examples, int capacity) {
        List<Packed> all = new ArrayList<>();
        int from = 0;
        int tokens = 0;
        for (int i = 0; i < examples.size(); i++) {
            int length = examples.get(i).ids().length;
            requireFits(examples.get(i), capacity);
            if (tokens + length > capacity) {
                all.add(pack(examples, from, i, tokens));
                from = i;
                tokens = 0;
            }
            tokens += length;
        }
        if (tokens > 0) {
            all.add(pack(examples, from, examples.size(), tokens));
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

    private static Packed pack(List<Example> examples, int from, int to, int tokens) {
        int[] ids = new int[tokens];
        int[] targets = new int[tokens];
        int[] positions = new int[tokens];
        int[] starts = new int[tokens];
        List<Integer> places = new ArrayList<>();
        Arrays.fill(targets, -1);
        int start = 0;
        for (int i = from; i < to; i++) {
            Example example = examples.get(i);
            places.add(i);
            for (int t = 0; t < example.ids().length; t++) {
                ids[start + t] = example.ids()[t];
                positions[start + t] = t;
                starts[start + t] = start;
                if (t > 0 && example.learn()[t]) {
                    targets[start + t - 1] = example.ids()[t];
                }
            }
            start += example.ids().length;
        }
        return new Packed(new Batch(1, tokens, ids, targets, positions, starts), places);
    }
}
