package dev.wok.spark;

import java.nio.file.Path;

/// [Main] for [FakeRank]. Arguments: master, folder, ranks, steps, milliseconds of a step.
final class FakeDriver {
    private FakeDriver() {}

    public static void main(String[] arguments) throws Exception {
        int ranks = Integer.parseInt(arguments[2]);
        int steps = Integer.parseInt(arguments[3]);
        int millis = Integer.parseInt(arguments[4]);
        Request request = Fake.request(arguments[0], ranks, "out", steps, millis);
        System.exit(Main.run(request, Fake.command(Path.of(arguments[1])), new Desk(System.out, System.err)));
    }
}
