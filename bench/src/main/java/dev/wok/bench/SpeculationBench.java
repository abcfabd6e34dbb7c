package dev.wok.bench;

import dev.wok.generate.Engine;
import dev.wok.generate.Engine.Speculation;
import dev.wok.generate.Generation;
import dev.wok.generate.Request;
import dev.wok.generate.Sampling;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// One text with tokens guessed, against the same one without: where guesses are read always, and where they are only
/// while they pay. Texts go on greedily from a token that is drawn.
final class SpeculationBench {
    private static final int NEW = 256;
    private static final int REPEATS = 15;

    private final int tokens;
    private final int vocabulary;
    /// In the order of [Speculation].
    private final List<Engine> engines;
    private int read;
    private int accepted;

    private SpeculationBench(Model model, List<Engine> engines) {
        this.engines = engines;
        tokens = Math.min(NEW, model.config().maxPositionEmbeddings() - 1);
        vocabulary = model.config().vocabSize();
    }

    static List<Row> measure(ModelUnderTest test, Progress progress) {
        if (!test.model().drafts()) {
            throw new BadInput("the model has no multi-token prediction: there are no guesses to measure.");
        }
        List<Engine> engines = new ArrayList<>();
        try {
            for (Speculation speculation : Speculation.values()) {
                Engine.Settings settings = Engine.Settings.defaults().withSpeculation(speculation);
                engines.add(new Engine(test.model(), settings));
            }
            return new SpeculationBench(test.model(), engines).rows(test.setup(), progress);
        } finally {
            engines.forEach(Engine::close);
        }
    }

    private List<Row> rows(Setup setup, Progress progress) {
        double[] seconds = new double[Speculation.values().length];
        Rng rng = new Rng(1);
        try (Progress.Task task = progress.start("generating", REPEATS + 1L, "times")) {
            for (long begin = System.nanoTime(); System.nanoTime() - begin < ModelUnderTest.WARM_UP_NANOS; ) {
                generate(Speculation.NEVER, 0);
                generate(Speculation.ALWAYS, 0);
                generate(Speculation.WHERE_FASTER, 0);
            }
            task.advance(1);
            read = 0;
            accepted = 0;
            for (int at = 0; at < REPEATS; at++) {
                int first = rng.below(at, vocabulary);
                int[] expected = new int[0];
                for (Speculation speculation : Speculation.values()) {
                    Generation generation = generate(speculation, first);
                    expected = speculation == Speculation.NEVER ? generation.ids() : expected;
                    if (!Arrays.equals(expected, generation.ids())) {
                        throw new IllegalStateException("a guess changed a text");
                    }
                    seconds[speculation.ordinal()] += generation.decodeSeconds();
                }
                task.advance(1);
            }
        }
        double all = (double) REPEATS * (tokens - 1);
        double without = all / seconds[Speculation.NEVER.ordinal()];
        double always = all / seconds[Speculation.ALWAYS.ordinal()];
        double auto = all / seconds[Speculation.WHERE_FASTER.ordinal()];
        return List.of(
                Row.of("speculate_always", always, "tokens/s", "without", without, setup),
                Row.of("speculate_auto", auto, "tokens/s", "without", without, setup),
                Row.of("drafts_accepted", accepted, "tokens", "those guessed", read, setup));
    }

    private Generation generate(Speculation speculation, int first) {
        Request request = Request.of(first).withMaxTokens(tokens).withSampling(Sampling.greedy());
        Generation generation =
                engines.get(speculation.ordinal()).submit(request).await();
        if (speculation == Speculation.ALWAYS) {
            read += generation.drafts().read();
            accepted += generation.drafts().accepted();
        }
        return generation;
    }
}
