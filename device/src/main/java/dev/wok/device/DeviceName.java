package dev.wok.device;

import dev.wok.notice.BadInput;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// A device as options and settings name it: `cpu`, `cuda`, `cuda:1`, or `emulated`.
///
/// @param index of a GPU, from 0, as the driver counts
public record DeviceName(Kind kind, int index) {
    /// The kinds of devices that models run on.
    public enum Kind {
        /// This machine's processor.
        CPU,
        /// An NVIDIA GPU.
        CUDA,
        /// [EmulatedGpu].
        EMULATED
    }

    public static final DeviceName CPU = new DeviceName(Kind.CPU, 0);

    /// What [#parse] takes.
    public static final String EXPECTED = "cpu, cuda, cuda:N or emulated";

    private static final Pattern CUDA = Pattern.compile("cuda(?::(\\d{1,4}))?");

    /// @param option that was given, for a refusal
    /// @throws BadInput where it is no such name
    public static DeviceName parse(String option, String text) {
        Matcher cuda = CUDA.matcher(text);
        if (cuda.matches()) {
            return new DeviceName(Kind.CUDA, cuda.group(1) == null ? 0 : Integer.parseInt(cuda.group(1)));
        }
        return switch (text) {
            case "cpu" -> CPU;
            case "emulated" -> new DeviceName(Kind.EMULATED, 0);
            default -> throw new BadInput("%s %s: expected %s.".formatted(option, text, EXPECTED));
        };
    }

    /// @throws BadInput where this machine has no such device
    public void requireHere() {
        if (kind == Kind.CUDA) {
            gpu();
        }
    }

    /// @return how many GPUs this machine has, at least 1
    public static int gpus() {
        return Gpus.find() instanceof Gpus.Found found ? found.gpus().size() : 1;
    }

    private GpuFacts gpu() {
        return switch (Gpus.find()) {
            case Gpus.Absent(String reason) -> throw new BadInput("device %s: %s.".formatted(this, reason));
            case Gpus.Found found -> {
                int count = found.gpus().size();
                if (index >= count) {
                    throw new BadInput("device %s: this machine has %s, counted from 0."
                            .formatted(this, count == 1 ? "1 GPU" : count + " GPUs"));
                }
                yield found.gpus().get(index);
            }
        };
    }

    /// Opens it; whoever opens it closes it.
    ///
    /// @param threads of the processor
    /// @throws BadInput where this machine has no such device
    public Device open(int threads) {
        return switch (kind) {
            case CPU -> Device.host(threads);
            case CUDA -> dev.wok.device.cuda.Cuda.open(gpu());
            case EMULATED -> Device.emulated();
        };
    }

    @Override
    public String toString() {
        return switch (kind) {
            case CPU -> "cpu";
            case CUDA -> index == 0 ? "cuda" : "cuda:" + index;
            case EMULATED -> "emulated";
        };
    }
}
