package dev.wok.train;

import dev.wok.device.Device;
import dev.wok.device.DeviceName;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Tuning;
import dev.wok.notice.Progress;
import java.util.Locale;
import java.util.function.Function;

/// The settings of how a run computes: on what, and from which random numbers.
public record Compute(
        @Key(value = "seed of all that is random", min = Long.MIN_VALUE)
        long seed,

        @Key(value = "threads that compute; 0 for all. Changes no number", max = 4096, free = true)
        int threads,

        @Key(value = "where the run computes: cpu, cuda, cuda:N or emulated", free = true)
        String device,

        @Key(
                value = "kernels; auto for the fastest there",
                oneOf = {"auto", "x86", "vector", "reference", "ptx"})
        String backend,

        @Key(
                value = "what matrix products multiply in; auto for what the kernels prefer",
                oneOf = {"auto", "f32", "bf16"})
        String precision) {

    /// Does something with the kernels on the device, which is closed afterwards.
    ///
    /// @param progress shows what has to be measured first
    public <T> T with(Progress progress, Function<Kernels, T> work) {
        return with(allThreads(), progress, work);
    }

    /// @return the threads that compute: all that this machine has where the setting leaves it open
    int allThreads() {
        return threads == 0 ? Runtime.getRuntime().availableProcessors() : threads;
    }

    /// As above, on so many of the threads.
    <T> T with(int share, Progress progress, Function<Kernels, T> work) {
        try (Device opened = deviceName().open(share)) {
            Backend chosen = chosenBackend();
            Tuning.ensure(opened, chosen, progress);
            return work.apply(Kernels.on(opened.stream(), chosen, chosenPrecision(chosen)));
        }
    }

    /// @return whether the device is this machine's processor
    boolean isOnProcessor() {
        return deviceName().kind() == DeviceName.Kind.CPU;
    }

    /// @return whether it is one that exists
    boolean isOnGpu() {
        return deviceName().kind() == DeviceName.Kind.CUDA;
    }

    /// @return whether each GPU of this machine may be taken
    boolean hasEachGpu() {
        return device.equals("cuda");
    }

    /// @param index from 0, as the driver counts
    Compute onGpu(int index) {
        return new Compute(seed, threads, "cuda:" + index, backend, precision);
    }

    /// @return the same with kernels and precision by name, where they are left open: what a run that
    ///     goes on elsewhere has to keep
    public Compute decided() {
        Backend chosen = chosenBackend();
        return new Compute(
                seed, threads, device, chosen.text(), chosenPrecision(chosen).text());
    }

    private DeviceName deviceName() {
        return DeviceName.parse("device", device);
    }

    private Backend chosenBackend() {
        if (!backend.equals(SettingKeys.AUTO)) {
            return Backend.valueOf(backend.toUpperCase(Locale.ROOT));
        }
        try (Device opened = deviceName().open(1)) {
            return Kernels.fastest(opened);
        }
    }

    private Precision chosenPrecision(Backend chosen) {
        if (!precision.equals(SettingKeys.AUTO)) {
            return Precision.valueOf(precision.toUpperCase(Locale.ROOT));
        }
        try (Device opened = deviceName().open(1)) {
            return Kernels.usual(opened, chosen);
        }
    }
}
