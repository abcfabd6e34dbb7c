package dev.wok.tune;

import dev.wok.model.Batch;
import dev.wok.model.LogitLoss;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Tensors;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntUnaryOperator;
import java.util.function.LongToDoubleFunction;
import java.util.stream.IntStream;

/// Texts with made-up logits before their targets, to show to losses, and what plain formulas say of
/// them.
///
/// @param batch the texts
/// @param rows the batch's rows that have a target
/// @param logits `[rows, vocab]`, F64
record Shown(Batch batch, int[] rows, Tensor logits) {
    /// @param spread of the logits, which are floats, so that both types hold the same
    /// @param texts of each how many tokens come before its targets, and how many targets it has
    static Shown random(long seed, int vocabulary, double spread, int[]... texts) {
        Rng rng = new Rng(seed);
        Rng ids = rng.split("ids");
        Rng logits = rng.split("logits");
        return of(vocabulary, i -> ids.below(i, vocabulary), i -> (float) (spread * logits.normal(i)), texts);
    }

    /// @param ids of each target
    /// @param logits of each element
    static Shown of(int vocabulary, IntUnaryOperator ids, LongToDoubleFunction logits, int[]... texts) {
        List<Example> examples = new ArrayList<>();
        int tokens = 0;
        int targets = 0;
        for (int[] text : texts) {
            int[] all = new int[text[0] + text[1]];
            boolean[] learn = new boolean[all.length];
            for (int i = text[0]; i < all.length; i++) {
                all[i] = ids.applyAsInt(targets++);
                learn[i] = true;
            }
            examples.add(new Example(all, learn));
            tokens += all.length;
        }
        Batch batch = Packed.of(examples, tokens).getFirst().batch();
        int[] rows = IntStream.range(0, batch.targets().length)
                .filter(i -> batch.targets()[i] >= 0)
                .toArray();
        return new Shown(batch, rows, Tensors.of(logits, DType.F64, targets, vocabulary));
    }

    /// @return the loss's gradient, `[rows, vocab]`
    Tensor gradient(LogitLoss loss, DType type) {
        return gradient(loss, type, rows.length);
    }

    /// @param some how many rows are shown at a time
    Tensor gradient(LogitLoss loss, DType type, int some) {
        Tensor gradient = Tensor.allocate(Arena.ofAuto(), type, logits.shape());
        gradient.copyFrom(logits);
        for (int from = 0; from < rows.length; from += some) {
            int to = Math.min(from + some, rows.length);
            loss.gradient(Arrays.copyOfRange(rows, from, to), gradient.slice(0, from, to));
        }
        return gradient;
    }

    /// @return of a row's tokens, by the definition
    double[] probabilities(int row, double temperature) {
        return softmax(Tensors.values(logits.select(0, row)), temperature);
    }

    static double[] softmax(double[] logits, double temperature) {
        double[] powers =
                Arrays.stream(logits).map(x -> Math.exp(x / temperature)).toArray();
        double sum = Arrays.stream(powers).sum();
        return Arrays.stream(powers).map(power -> power / sum).toArray();
    }

    /// @return of a row's target, by the definition
    double logprob(int row, double temperature) {
        return Math.log(probabilities(row, temperature)[target(row)]);
    }

    int target(int row) {
        return batch.targets()[rows[row]];
    }

    /// @return of each element
    static long[] bits(Tensor tensor) {
        return Arrays.stream(Tensors.values(tensor))
                .mapToLong(Double::doubleToRawLongBits)
                .toArray();
    }

    static boolean isZero(Tensor tensor) {
        return Arrays.stream(Tensors.values(tensor)).allMatch(x -> x == 0);
    }

    static double norm(Tensor tensor) {
        return Math.sqrt(Arrays.stream(Tensors.values(tensor)).map(x -> x * x).sum());
    }
}
