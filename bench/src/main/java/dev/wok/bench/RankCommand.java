package dev.wok.bench;

import dev.wok.fabric.Exchange.Payload;
import dev.wok.notice.BadInput;

/// What a group of ranks measures, as a line that Wok's ranks and the peer over MPI read from their
/// standard input. The answer is a line of nanoseconds.
sealed interface RankCommand {
    /// There and back between ranks 0 and 1; half of a round trip, a figure per batch.
    record Latency(int bytes, int trips, int batches) implements RankCommand {}

    /// Dispatch and combine, from when all ranks begin until all are done.
    record Tokens(FabricJob job, int warmUp, int repeats) implements RankCommand {}

    /// A sum of floats over the ranks, of which each gets its share.
    record Reduce(int bytes, int warmUp, int repeats) implements RankCommand {}

    /// Each rank's share of an array to all.
    record Gather(int bytes, int warmUp, int repeats) implements RankCommand {}

    default String line() {
        return switch (this) {
            case Latency c -> "latency %d %d %d".formatted(c.bytes, c.trips, c.batches);
            case Tokens c ->
                "exchange %d %d %d %d %d %d %s %s"
                        .formatted(
                                c.job.hidden(),
                                c.job.tokens(),
                                c.job.topK(),
                                c.job.experts(),
                                c.warmUp,
                                c.repeats,
                                c.job.dispatch(),
                                c.job.combine());
            case Reduce c -> "reduce %d %d %d".formatted(c.bytes, c.warmUp, c.repeats);
            case Gather c -> "gather %d %d %d".formatted(c.bytes, c.warmUp, c.repeats);
        };
    }

    static RankCommand parse(String line) {
        String[] words = line.split(" ");
        try {
            return switch (words[0]) {
                case "latency" -> new Latency(number(words, 1), number(words, 2), number(words, 3));
                case "exchange" ->
                    new Tokens(
                            new FabricJob(
                                    number(words, 1),
                                    number(words, 2),
                                    number(words, 3),
                                    number(words, 4),
                                    Payload.valueOf(words[7]),
                                    Payload.valueOf(words[8])),
                            number(words, 5),
                            number(words, 6));
                case "reduce" -> new Reduce(number(words, 1), number(words, 2), number(words, 3));
                case "gather" -> new Gather(number(words, 1), number(words, 2), number(words, 3));
                default -> throw new BadInput("a rank was told: %s.".formatted(line));
            };
        } catch (IllegalArgumentException | ArrayIndexOutOfBoundsException e) {
            throw new BadInput("a rank was told: %s.".formatted(line));
        }
    }

    private static int number(String[] words, int at) {
        return Integer.parseInt(words[at]);
    }
}
