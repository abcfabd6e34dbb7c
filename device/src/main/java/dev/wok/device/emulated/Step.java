package dev.wok.device.emulated;

/// What an instruction does.
@FunctionalInterface
interface Step {
    /// @param lanes a bit for each lane that executes it; none where a guard leaves no lane
    void run(Warp warp, int lanes);
}
