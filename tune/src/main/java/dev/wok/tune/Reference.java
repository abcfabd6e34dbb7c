package dev.wok.tune;

import dev.wok.generate.LogSumExp;
import dev.wok.model.Batch;
import dev.wok.model.Model;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// The model that a policy shall not leave too far behind: itself as it was. One thread at a time.
final class Reference implements AutoCloseable {
    private static final int ROWS = 256;

    private final Model model;
    private final Scorer scorer;
    private final @Nullable Adapters above;

    /// @param model closed with this
    Reference(Model model) {
        this(model, null);
    }

    private Reference(Model model, @Nullable Adapters above) {
        this.model = model;
        this.above = above;
        scorer = new Scorer(model, model.config().vocabSize());
    }

    /// The model that learns without its adapters, which takes no second model.
    static Reference beneath(Model model, Adapters adapters) {
        return new Reference(model, adapters);
    }

    Model model() {
        return model;
    }

    /// @return for each batch a text of it each, in their order
    List<List<Logprobs>> logprobs(List<Batch> batches, double temperature) {
        List<List<Logprobs>> all = new ArrayList<>();
        Runnable scoring = () -> batches.forEach(batch -> all.add(logprobs(batch, temperature)));
        if (above == null) {
            scoring.run();
        } else {
            above.beneath(scoring);
        }
        return all;
    }

    private List<Logprobs> logprobs(Batch batch, double temperature) {
        Scoring scoring = new Scoring(batch, temperature);
        int[] rows = IntStream.range(0, batch.targets().length)
                .filter(row -> batch.targets()[row] >= 0)
                .toArray();
        Scorer.Reading reading = scorer.read(batch);
        for (int from = 0; from < rows.length; from += ROWS) {
            int[] some = Arrays.copyOfRange(rows, from, Math.min(rows.length, from + ROWS));
            reading.advance(some);
            model.kernels().stream()
                    .device()
                    .each(some.length, i -> scoring.keep(some[i], LogSumExp.widened(reading.logits(some[i]))));
        }
        return scoring.texts();
    }

    /// Takes other weights.
    void become(Model other) {
        if (above != null) {
            throw new IllegalStateException("what lies beneath adapters stays as it is");
        }
        model.become(other);
    }

    @Override
    public void close() {
        scorer.close();
        if (above == null) {
            model.close();
        }
    }
}
