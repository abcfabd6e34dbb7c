package dev.wok.cli;

import dev.wok.device.CudaException;
import dev.wok.device.DeviceName;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Gpu;
import dev.wok.notice.BadInput;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/// `wok ptx run`: runs kernels and prints what they wrote.
@Command(
        name = "run",
        description = {
            "Runs kernels, in the emulator with every check on or on a real GPU, and prints the buffers that they changed.",
            "What is not said of the launch is guessed, or stands in the file: see wok ptx check --help."
        },
        sortOptions = false,
        footer = {"", "Example:", "  wok ptx run saxpy.ptx --arg n=1000 --arg x=f32[1000]=iota --arg y=f32[1000]=1"})
final class PtxRunCommand implements Callable<Integer> {
    private final Console console;
    private final Display display;

    @Parameters(paramLabel = "FILE", description = "A file of PTX.")
    @Nullable
    Path file;

    @Mixin
    PtxLaunchOptions options = new PtxLaunchOptions();

    @Option(names = "--all", description = "Print all elements of a changed buffer, rather than the first 16.")
    boolean all;

    @Option(
            names = "--save",
            paramLabel = "NAME=FILE",
            description = "Write a buffer's bytes into a file; may be given again.")
    Map<String, Path> save = new LinkedHashMap<>();

    @Option(
            names = "--device",
            paramLabel = "D",
            description = "emulated (the default), cuda (the first GPU of this machine) or cuda:N.")
    String device = "emulated";

    @Option(names = "--json", description = "Print a JSON object for each kernel.")
    boolean json;

    PtxRunCommand(Console console, Display display) {
        this.console = console;
        this.display = display;
    }

    @Override
    public Integer call() {
        Supplier<Gpu> opened = device();
        PtxSource source = PtxSource.read(Given.required(file));
        List<PtxPlan> plans = PtxPlan.of(source, options, EmulatedGpu.MOST_SHARED);
        requireSaved(plans);
        PtxReport report = new PtxReport(console.out(), source, all, json);
        int code = 0;
        for (PtxPlan plan : plans) {
            try (Arena arena = Arena.ofShared()) {
                PtxOutcome outcome = run(opened.get(), source, plan, arena);
                if (outcome == null) {
                    return PtxCheckCommand.INTERRUPTED;
                }
                for (PtxOutcome.Result result : outcome.buffers()) {
                    Path target = save.getOrDefault(
                            result.name(), save.get(PtxArguments.brief(plan.kernel(), result.name())));
                    if (target != null) {
                        save(result, target);
                    }
                }
                report.run(outcome);
                code = outcome.fault() == null ? code : 1;
            }
        }
        return code;
    }

    private @Nullable PtxOutcome run(Gpu gpu, PtxSource source, PtxPlan plan, Arena arena) {
        PtxOutcome outcome;
        try {
            outcome = new PtxRunner(gpu, source, plan, arena).run(true, display);
        } catch (RuntimeException e) {
            try {
                gpu.close();
            } catch (CudaException closing) {
                e.addSuppressed(closing);
            }
            throw e;
        }
        try {
            gpu.close();
        } catch (CudaException e) {
            // A GPU on which a kernel failed says so again.
            if (outcome == null || outcome.fault() == null) {
                throw e;
            }
        }
        return outcome;
    }

    private Supplier<Gpu> device() {
        DeviceName named = DeviceName.parse("--device", device);
        if (named.kind() == DeviceName.Kind.CPU) {
            throw new BadInput("--device cpu: expected emulated, cuda or cuda:N.");
        }
        named.requireHere();
        return () -> (Gpu) named.open(1);
    }

    private void requireSaved(List<PtxPlan> plans) {
        if (save.isEmpty()) {
            return;
        }
        if (plans.size() > 1) {
            throw new BadInput("--save: %s holds %d kernels, name one with --kernel: %s."
                    .formatted(
                            file,
                            plans.size(),
                            String.join(
                                    ", ", plans.stream().map(PtxPlan::kernel).toList())));
        }
        PtxPlan plan = plans.getFirst();
        Set<String> known = new HashSet<>();
        List<String> buffers = new ArrayList<>();
        for (PtxPlan.Given given : plan.arguments()) {
            switch (given.argument()) {
                case PtxArgument.Scalar _ -> {}
                case PtxArgument.Buffer _, PtxArgument.Mapped _ -> {
                    String brief = PtxArguments.brief(plan.kernel(), given.parameter());
                    known.add(given.parameter());
                    known.add(brief);
                    buffers.add(brief);
                }
            }
        }
        save.forEach((name, target) -> {
            if (!known.contains(name)) {
                throw new BadInput("--save %s: %s has no buffer %s; it has %s."
                        .formatted(name, plan.kernel(), name, buffers.isEmpty() ? "none" : String.join(", ", buffers)));
            }
            Given.requireFolderOf(target);
        });
    }

    private static void save(PtxOutcome.Result result, Path target) {
        Path part = target.resolveSibling(target.getFileName() + ".part");
        try {
            try (FileChannel channel = FileChannel.open(
                    part, StandardOpenOption.CREATE, StandardOpenOption.TRUNCATE_EXISTING, StandardOpenOption.WRITE)) {
                long bytes = result.after().bytes();
                for (long at = 0; at < bytes; ) {
                    at += channel.write(result.after()
                            .memory()
                            .asSlice(at, Math.min(bytes - at, 1 << 30))
                            .asByteBuffer());
                }
            }
            Files.move(part, target, StandardCopyOption.ATOMIC_MOVE, StandardCopyOption.REPLACE_EXISTING);
        } catch (IOException e) {
            throw BadInput.writing(target, e, part);
        }
    }
}
