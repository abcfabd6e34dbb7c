package dev.wok.train;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/// The process that [KillTest] kills: starts or resumes a run.
final class KilledRun {
    private KilledRun() {}

    /// @param arguments the run's folder, the corpus
    public static void main(String[] arguments) {
        Path out = Path.of(arguments[0]);
        Path corpus = Path.of(arguments[1]);
        try (Trainer trainer = Files.exists(out.resolve("run.json"))
                ? TinyRun.resume(out, Map.of())
                : TinyRun.start(out, corpus, KillTest.CHANGES)) {
            trainer.run();
        }
    }
}
