package dev.wok.cli;

import dev.wok.api.Model;
import dev.wok.generate.Engine;
import dev.wok.notice.BadInput;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/// The options of commands that answer many texts: whether tokens are guessed, and where what was read
/// is kept.
final class EngineOptions {
    @Option(
            names = "--speculate",
            paramLabel = "WHEN",
            defaultValue = "auto",
            description = "Guess tokens by multi-token prediction, where the model has it, and check them together:"
                    + " auto (where that is faster; the default), always or never. The text is the same.")
    String speculate = "auto";

    @Option(
            names = "--cache",
            paramLabel = "DIR",
            description = "Keep there what was read of texts, for later runs that begin alike.")
    @Nullable
    Path cache;

    @Option(
            names = "--cache-gigabytes",
            paramLabel = "N",
            defaultValue = "10",
            description = "With --cache: what its files may take (default: 10); those not used for longest go.")
    double cacheGigabytes;

    /// @return the options with these
    Model.Options added(Model.Options options) {
        Model.Options guessing = options.withSpeculation(speculation());
        if (cache == null) {
            return guessing;
        }
        if (!(cacheGigabytes > 0 && cacheGigabytes < 1e6)) {
            throw new BadInput("--cache-gigabytes %s: expected more than 0.".formatted(cacheGigabytes));
        }
        return guessing.withKept(new Model.Options.Kept(cache, (long) Math.ceil(cacheGigabytes * 1e9)));
    }

    private Engine.Speculation speculation() {
        return switch (speculate) {
            case "auto" -> Engine.Speculation.WHERE_FASTER;
            case "always" -> Engine.Speculation.ALWAYS;
            case "never" -> Engine.Speculation.NEVER;
            default -> throw new BadInput("--speculate %s: expected auto, always or never.".formatted(speculate));
        };
    }
}
