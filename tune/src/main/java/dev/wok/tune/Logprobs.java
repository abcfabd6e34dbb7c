package dev.wok.tune;

/// The log-probabilities of a text's targets, in nats, in order.
///
/// @param raw at temperature 1
/// @param tempered at the temperature that the loss uses
record Logprobs(double[] raw, double[] tempered) {
    Logprobs {
        if (raw.length != tempered.length) {
            throw new IllegalArgumentException(
                    "%d log-probabilities at temperature 1, %d at another".formatted(raw.length, tempered.length));
        }
    }

    /// @return of the whole text at temperature 1
    double sum() {
        double sum = 0;
        for (double one : raw) {
            sum += one;
        }
        return sum;
    }
}
