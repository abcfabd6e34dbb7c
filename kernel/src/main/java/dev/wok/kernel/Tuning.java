package dev.wok.kernel;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.x86.Tuned;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// How matrix products in machine code are cut into tiles and blocks on this machine. That is found once by trying, and
/// kept in the user's cache folder; it changes how fast products are, never a bit of them.
///
/// @param file where it is kept
/// @param found whether it was found here by trying, or is what is usual
/// @param tiles a line for each precision and size of product
public record Tuning(Path file, boolean found, List<String> tiles) {
    /// The environment variable with which nothing is searched or read: `off`.
    public static final String VARIABLE = "WOK_TUNE";

    /// How fast a product was.
    ///
    /// @param precision of its operands
    /// @param product rows, columns and common dimension
    /// @param tiling how it was cut
    /// @param usual whether that is what is used where nothing was tried
    /// @param chosen whether it is used from now on for products of this size
    public record Trial(
            String precision, String product, String tiling, double gflops, boolean usual, boolean chosen) {}

    /// @return whether the environment asks for what is usual
    /// @throws BadInput where it asks for something else
    public static boolean off() {
        String asked = System.getenv(VARIABLE);
        if (asked == null || asked.isBlank()) {
            return false;
        }
        if (!asked.equals("off")) {
            throw new BadInput("%s=%s: expected off; or leave it unset.".formatted(VARIABLE, asked));
        }
        return true;
    }

    /// Searches, for a second or two, if the backend needs it and nothing is kept for this processor. Kernels that are
    /// made afterwards use what was found.
    public static void ensure(Device device, Backend backend, Progress progress) {
        if (backend == Backend.X86 && device instanceof HostDevice host && !off()) {
            Tuned.ensure(host, Processor.describe(host), progress);
        }
    }

    /// Searches again.
    ///
    /// @return what was tried
    /// @throws BadInput where nothing can be tuned
    public static List<Trial> search(HostDevice device, Progress progress) {
        Processor processor = Processor.describe(device);
        if (off()) {
            throw new BadInput("%s=off: tiles are not searched; unset it.".formatted(VARIABLE));
        }
        if (processor.used().isEmpty()) {
            throw new BadInput("no kernels in machine code run here, so there is nothing to tune: %s."
                    .formatted(processor.reason()));
        }
        return Tuned.search(device, processor, progress);
    }

    /// @return what the kernels of a device use, or nothing where they are not in machine code
    public static Optional<Tuning> describe(HostDevice device) {
        return Tuned.describe(device, Processor.describe(device));
    }
}
