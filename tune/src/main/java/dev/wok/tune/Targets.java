package dev.wok.tune;

import dev.wok.model.Batch;
import java.util.List;

/// Which target of which text each row of a batch predicts.
///
/// @param ids the target of each row, -1 where there is none
/// @param texts the text that each row belongs to, counted from 0 in the batch's order
/// @param places of the row's target among those of its text, counted from 0
/// @param counts how many targets each text has
record Targets(int[] ids, int[] texts, int[] places, int[] counts) {
    static Targets of(Batch batch) {
        int rows = batch.targets().length;
        List<Batch.Text> all = batch.texts();
        int[] texts = new int[rows];
        int[] places = new int[rows];
        int[] counts = new int[all.size()];
        for (int text = 0; text < counts.length; text++) {
            for (int row = all.get(text).from(); row < all.get(text).to(); row++) {
                texts[row] = text;
                places[row] = counts[text];
                counts[text] += batch.targets()[row] >= 0 ? 1 : 0;
            }
        }
        return new Targets(batch.targets(), texts, places, counts);
    }

    /// @return how many texts there are
    int size() {
        return counts.length;
    }
}
