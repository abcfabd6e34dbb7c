package dev.wok.train;

import dev.wok.notice.BadInput;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/// The process that [KillTest] kills: starts or resumes a run.
final class KilledRun {
    static final int REFUSED = 2;

    private KilledRun() {}

    /// @param arguments the run's folder, the corpus
    public static void main(String[] arguments) {
        Path out = Path.of(arguments[0]);
        Path corpus = Path.of(arguments[1]);
        try (Trainer trainer = Files.exists(out.resolve("run.json"))
                ? TinyRun.resume(out, Map.of())
                : TinyRun.start(out, corpus, KillTest.CHANGES)) {
            trainer.run();
        } catch (BadInput e) {
            System.exit(REFUSED);
        }
    }
}
