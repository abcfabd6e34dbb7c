package dev.wok.device;

import static org.junit.jupiter.api.Assertions.fail;

import org.junit.jupiter.api.Assumptions;

/// Tests that want a GPU: without one they are skipped with the reason, or fail where `-Dwok.require=ptx`
/// says that there is one.
public final class Chips {
    private Chips() {}

    /// @return this machine's first GPU, to be closed by the test
    public static Gpu open() {
        return switch (Gpus.find()) {
            case Gpus.Found found -> found.open(0);
            case Gpus.Absent(String reason) -> {
                if ("ptx".equals(System.getProperty("wok.require"))) {
                    fail(reason);
                }
                yield Assumptions.abort(reason);
            }
        };
    }
}
