package dev.wok.cli;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok ptx check`: runs kernels with every check on, and says what is wrong.
@Command(
        name = "check",
        description = {
            "Runs kernels in the emulator and says what is wrong: accesses out of bounds, races, memory read before it"
                    + " was written, barriers that are not reached, and what else PTX forbids.",
            "What is not said of the launch is guessed. A file can say it itself, in lines at its top:",
            "// wok: --kernel saxpy --grid 4 --block 256 --arg n=1000 --arg x=f32[1000]=iota"
        },
        sortOptions = false,
        footer = {"", "Example:", "  wok ptx check saxpy.ptx --grid 4 --block 256 --arg n=1000"})
final class PtxCheckCommand implements Callable<Integer> {
    static final int INTERRUPTED = 130;

    private final Console console;
    private final Display display;

    @Parameters(paramLabel = "FILE", description = "A file of PTX.")
    @Nullable
    Path file;

    @Mixin
    PtxLaunchOptions options = new PtxLaunchOptions();

    @Option(names = "--json", description = "Print a JSON object for each kernel.")
    boolean json;

    PtxCheckCommand(Console console, Display display) {
        this.console = console;
        this.display = display;
    }

    @Override
    public Integer call() {
        PtxSource source = PtxSource.read(Given.required(file));
        PtxReport report = new PtxReport(console.out(), source, false, json);
        int code = 0;
        for (PtxPlan plan : PtxPlan.of(source, options, EmulatedGpu.MOST_SHARED)) {
            try (EmulatedGpu gpu = Device.emulated();
                    Arena arena = Arena.ofShared()) {
                PtxOutcome outcome = new PtxRunner(gpu, source, plan, arena).run(false, display);
                if (outcome == null) {
                    return INTERRUPTED;
                }
                report.check(outcome);
                code = outcome.fault() == null ? code : 1;
            }
        }
        return code;
    }
}
