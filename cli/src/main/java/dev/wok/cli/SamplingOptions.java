package dev.wok.cli;

import dev.wok.generate.Sampling;
import dev.wok.notice.BadInput;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// How the next token is picked.
final class SamplingOptions {
    @Option(names = "--greedy", description = "Always take the likeliest token.")
    boolean greedy;

    @Option(names = "--temperature", paramLabel = "T", description = "Divides the logits (default: 0.8).")
    @Nullable
    Double temperature;

    @Option(
            names = "--top-p",
            paramLabel = "P",
            description = "Only the likeliest tokens whose probabilities sum to P (default: 0.95).")
    @Nullable
    Double topP;

    @Option(names = "--top-k", paramLabel = "K", description = "Only the K likeliest tokens (default: 0, all).")
    @Nullable
    Integer topK;

    @Option(
            names = "--min-p",
            paramLabel = "P",
            description = "Only tokens at least P times as likely as the likeliest (default: 0).")
    @Nullable
    Double minP;

    @Option(
            names = "--repetition-penalty",
            paramLabel = "R",
            description = "Makes tokens that were there before less likely (default: 1, off).")
    @Nullable
    Double repetitionPenalty;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Of the draws; the same seed gives the same text (default: 0).")
    long seed;

    /// @throws BadInput where the options contradict each other or are out of range
    Sampling sampling() {
        return filtered().withRepetitionPenalty(or(repetitionPenalty, 1)).withSeed(seed);
    }

    private Sampling filtered() {
        if (!greedy) {
            Sampling usual = Sampling.usual();
            return usual.withTemperature(or(temperature, usual.temperature()))
                    .withTopP(or(topP, usual.topP()))
                    .withTopK(topK == null ? 0 : topK)
                    .withMinP(or(minP, 0));
        }
        if (temperature != null || topP != null || topK != null || minP != null) {
            throw new BadInput(
                    "--greedy takes the likeliest token: leave out --temperature, --top-p, --top-k, --min-p.");
        }
        return Sampling.greedy();
    }

    private static double or(@Nullable Double given, double otherwise) {
        return given == null ? otherwise : given;
    }
}
