package dev.wok.train;

import dev.wok.model.Batch;
import dev.wok.notice.Progress;
import dev.wok.text.Packing;
import dev.wok.text.TokenShards;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.ToDoubleFunction;

/// How well a model predicts the held-out text.
final class Evaluation {
    private Evaluation() {}

    /// @param evaluate measures a batch: the sum of the cross-entropy over its targets, in nats
    /// @param sequences rows of a batch, `length` tokens each
    /// @return bits per UTF-8 byte of the held-out documents: nats of all their tokens / ln 2 / their bytes
    static double bitsPerByte(
            ToDoubleFunction<Batch> evaluate, TokenShards heldOut, int sequences, int length, Progress progress) {
        double nats = 0;
        long bytes = 0;
        long shown = 0;
        List<Packing.Sequence> rows = new ArrayList<>();
        try (Progress.Task task = progress.start("evaluating", heldOut.bytes(), "bytes")) {
            Iterator<Packing.Evaluation> all =
                    Packing.evaluation(heldOut, length).iterator();
            while (all.hasNext()) {
                Packing.Evaluation row = all.next();
                rows.add(row.sequence());
                bytes += row.bytes();
                if (rows.size() == sequences || !all.hasNext()) {
                    nats += evaluate.applyAsDouble(batch(rows));
                    rows.clear();
                    task.advance(bytes - shown);
                    shown = bytes;
                }
            }
        }
        return nats / Math.log(2) / bytes;
    }

    /// Joins sequences of one length to a batch.
    static Batch batch(List<Packing.Sequence> rows) {
        int length = rows.getFirst().tokens().length;
        int[] tokens = new int[rows.size() * length];
        int[] targets = new int[tokens.length];
        int[] positions = new int[tokens.length];
        int[] keyStart = new int[tokens.length];
        for (int i = 0; i < rows.size(); i++) {
            Packing.Sequence row = rows.get(i);
            System.arraycopy(row.tokens(), 0, tokens, i * length, length);
            System.arraycopy(row.targets(), 0, targets, i * length, length);
            System.arraycopy(row.positions(), 0, positions, i * length, length);
            for (int j = 0; j < length; j++) {
                keyStart[i * length + j] = i * length + row.starts()[j];
            }
        }
        return new Batch(rows.size(), length, tokens, targets, positions, keyStart);
    }
}
