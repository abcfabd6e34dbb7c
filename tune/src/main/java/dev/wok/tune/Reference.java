package dev.wok.tune;

import dev.wok.generate.LogSumExp;
import dev.wok.model.Batch;
import dev.wok.model.Model;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/// The model that a policy shall not leave too far behind: itself as it was. One thread at a time.
final class Reference implements AutoCloseable {
    private static final int ROWS = 256;

    private final Model model;
    private final Scorer scorer;

    /// @param model closed with this
    Reference(Model model) {
        this.model = model;
        scorer = new Scorer(model, model.config().vocabSize());
    }

    Model model() {
        return model;
    }

    /// @return a text of the batch each, in their order
    List<Logprobs> logprobs(Batch batch, double temperature) {
        Scoring scoring = new Scoring(batch, temperature);
        int[] rows = IntStream.range(0, batch.targets().length)
                .filter(row -> batch.targets()[row] >= 0)
                .toArray();
        Scorer.Reading reading = scorer.read(batch);
        for (int from = 0; from < rows.length; from += ROWS) {
            int[] some = Arrays.copyOfRange(rows, from, Math.min(rows.length, from + ROWS));
            reading.advance(some);
            Arrays.stream(some).parallel().forEach(row -> scoring.keep(row, LogSumExp.widened(reading.logits(row))));
        }
        return scoring.texts();
    }

    /// Takes other weights.
    void become(Model other) {
        model.become(other);
    }

    @Override
    public void close() {
        scorer.close();
        model.close();
    }
}
