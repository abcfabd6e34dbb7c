package dev.wok.tune;

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
        Targets targets = Targets.of(batch);
        List<Logprobs> texts = Arrays.stream(targets.counts())
                .mapToObj(count -> new Logprobs(new double[count], new double[count]))
                .toList();
        int[] rows = IntStream.range(0, targets.ids().length)
                .filter(row -> targets.ids()[row] >= 0)
                .toArray();
        Scorer.Reading reading = scorer.read(batch);
        for (int from = 0; from < rows.length; from += ROWS) {
            int[] some = Arrays.copyOfRange(rows, from, Math.min(rows.length, from + ROWS));
            reading.advance(some);
            Arrays.stream(some).parallel().forEach(row -> {
                float[] logits = reading.logits(row);
                double[] values = new double[logits.length];
                for (int i = 0; i < values.length; i++) {
                    values[i] = logits[i];
                }
                Logprobs text = texts.get(targets.texts()[row]);
                int place = targets.places()[row];
                Distribution raw = new Distribution(values, 1);
                text.raw()[place] = raw.logprob(targets.ids()[row]);
                text.tempered()[place] = temperature == 1
                        ? text.raw()[place]
                        : new Distribution(values, temperature).logprob(targets.ids()[row]);
            });
        }
        return texts;
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
