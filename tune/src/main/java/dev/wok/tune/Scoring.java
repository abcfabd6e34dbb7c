package dev.wok.tune;

import dev.wok.model.Batch;
import dev.wok.model.LogitLoss;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// Learns nothing, and keeps the log-probabilities of a batch's targets.
final class Scoring implements LogitLoss {
    private final Targets targets;
    private final double temperature;
    private final List<Logprobs> texts = new ArrayList<>();

    Scoring(Batch batch, double temperature) {
        targets = Targets.of(batch);
        this.temperature = temperature;
        for (int count : targets.counts()) {
            double[] raw = new double[count];
            texts.add(new Logprobs(raw, temperature == 1 ? raw : new double[count]));
        }
    }

    @Override
    public void gradient(int[] rows, Tensor logits) {
        LogitRows.replace(logits, rows.length, (i, row) -> {
            keep(rows[i], row);
            Arrays.fill(row, 0);
        });
    }

    /// For any number of threads, each row once.
    ///
    /// @param row of the batch, with a target
    /// @param logits `[vocab]` before that
    void keep(int row, double[] logits) {
        int id = targets.ids()[row];
        int place = targets.places()[row];
        Logprobs text = texts.get(targets.texts()[row]);
        text.raw()[place] = new Distribution(logits, 1).logprob(id);
        if (temperature != 1) {
            text.tempered()[place] = new Distribution(logits, temperature).logprob(id);
        }
    }

    /// @return what was kept, a text of the batch each, in their order
    List<Logprobs> texts() {
        return List.copyOf(texts);
    }
}
