package dev.wok.spark;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Runs of [FakeRank].
final class Fake {
    private Fake() {}

    static Request request(String master, int ranks, String out, int steps, int millis, String... wrong) {
        List<String> arguments =
                new ArrayList<>(List.of("--out", out, Integer.toString(steps), Integer.toString(millis)));
        arguments.addAll(List.of(wrong));
        return new Request(master, ranks, 512, "", out, arguments);
    }

    /// @param folder where the ranks work
    static RankCommand command(Path folder) {
        return new RankCommand(
                folder.toString(),
                "",
                List.of(),
                List.of(
                        "-XX:TieredStopAtLevel=1",
                        "-XX:+UseSerialGC",
                        "-Xmx64m",
                        "-cp",
                        classes(),
                        FakeRank.class.getName()),
                Map.of());
    }

    static String classes() {
        return FakeRank.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .getPath();
    }
}
