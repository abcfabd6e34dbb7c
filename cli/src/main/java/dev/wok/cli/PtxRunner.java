package dev.wok.cli;

import dev.wok.device.CudaException;
import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Gpu;
import dev.wok.device.PtxFault;
import dev.wok.device.PtxProgram;
import dev.wok.device.PtxRejected;
import dev.wok.device.TensorMap;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// Launches one kernel, on a GPU that is closed afterwards: what went wrong on a real one lasts. It belongs
/// to the thread that makes it.
final class PtxRunner {
    private static final long TICK_MILLIS = 100;

    /// What Java's books of an emulated launch take beside a buffer's own bytes, as a part of its heap.
    private static final int HEAP_SHARE = 4;

    private final Gpu gpu;
    private final PtxSource source;
    private final PtxPlan plan;
    private final Arena arena;
    private final List<PtxOutcome.Result> results = new ArrayList<>();
    private final List<Tensor> tensors = new ArrayList<>();
    private final SplittableRandom random;
    private final Thread thread = Thread.currentThread();
    private volatile boolean isStopped;

    /// @param arena for what is kept of buffers
    PtxRunner(Gpu gpu, PtxSource source, PtxPlan plan, Arena arena) {
        this.gpu = gpu;
        this.source = source;
        this.plan = plan;
        this.arena = arena;
        random = new SplittableRandom(plan.seed());
    }

    /// @param keepsResults whether to bring back what is in the buffers
    /// @return what it came to, or null where it was stopped
    @Nullable
    PtxOutcome run(boolean keepsResults, Progress progress) {
        requireMemory();
        PtxProgram program = load();
        Object[] arguments = plan.arguments().stream().map(this::argument).toArray();
        PtxOutcome.Fault fault = null;
        try {
            Runnable launch = () -> {
                gpu.stream().launch(program.function(plan.kernel()), plan.launch(), arguments);
                gpu.stream().synchronize();
            };
            switch (gpu) {
                case EmulatedGpu emulated -> watch(emulated, launch, progress);
                default -> launch.run();
            }
        } catch (PtxFault e) {
            fault = PtxOutcome.Fault.of(e);
        } catch (CudaException e) {
            fault = new PtxOutcome.Fault(
                    "cuda",
                    0,
                    "",
                    "%s: failed on %s: %s.\n  wok ptx check finds the line, where the emulator sees it too."
                            .formatted(plan.kernel(), gpu.facts().name(), e.getMessage()));
        }
        if (isStopped) {
            return null;
        }
        if (fault == null && keepsResults) {
            for (int i = 0; i < tensors.size(); i++) {
                gpu.download(tensors.get(i), results.get(i).after());
            }
        }
        return new PtxOutcome(
                plan,
                fault,
                fault == null && gpu instanceof EmulatedGpu emulated ? emulated.lastLaunch() : null,
                fault == null && keepsResults ? results : List.of());
    }

    /// Runs a launch with a bar; Ctrl-C ends it.
    private void watch(EmulatedGpu emulated, Runnable launch, Progress progress) {
        AtomicLong shown = new AtomicLong();
        try (Progress.Task task = progress.start("running " + plan.kernel(), -1, "warp instructions")) {
            Runnable show = () -> {
                long now = emulated.executed();
                task.advance(now - shown.getAndSet(now));
            };
            try (ScheduledExecutorService clock = Executors.newSingleThreadScheduledExecutor()) {
                clock.scheduleAtFixedRate(show, TICK_MILLIS, TICK_MILLIS, TimeUnit.MILLISECONDS);
                isStopped |= !Interruption.during(this::stop, () -> {
                    launch.run();
                    return !isStopped;
                });
            }
            show.run();
        }
    }

    private PtxProgram load() {
        try {
            return gpu.load(source.text());
        } catch (PtxRejected e) {
            throw PtxSource.rejected(source.file(), e);
        }
    }

    private Object argument(PtxPlan.Given given) {
        return switch (given.argument()) {
            case PtxArgument.Scalar(Number value) -> value;
            case PtxArgument.Buffer buffer -> tensor(given.parameter(), buffer);
            case PtxArgument.Mapped(PtxArgument.Buffer buffer, List<Integer> box, TensorMap.Swizzle swizzle) -> {
                Tensor tensor = tensor(given.parameter(), buffer);
                try {
                    yield TensorMap.of(
                                    tensor,
                                    box.stream().mapToInt(Integer::intValue).toArray())
                            .withSwizzle(swizzle);
                } catch (IllegalArgumentException e) {
                    throw new BadInput(
                            "--arg %s: %s: %s.".formatted(given.parameter(), given.argument(), e.getMessage()), e);
                }
            }
        };
    }

    private Tensor tensor(String name, PtxArgument.Buffer buffer) {
        boolean isUnset = buffer.fill() == PtxFill.Pattern.UNSET;
        Tensor there = switch (gpu) {
            case EmulatedGpu emulated ->
                (isUnset ? emulated.unwrittenMemory() : emulated.memory())
                        .named(
                                PtxArguments.brief(plan.kernel(), name),
                                buffer.element().dtype(),
                                buffer.shape());
            default -> gpu.memory().tensor(buffer.element().dtype(), buffer.shape());
        };
        Tensor before = host(buffer);
        if (isUnset) {
            gpu.download(there, before);
        } else {
            buffer.fill().into(before, buffer.element(), random);
            gpu.upload(before, there);
        }
        tensors.add(there);
        results.add(new PtxOutcome.Result(name, buffer, isUnset, before, host(buffer)));
        return there;
    }

    private Tensor host(PtxArgument.Buffer buffer) {
        return Tensor.allocate(arena, buffer.element().dtype(), buffer.shape());
    }

    private void requireMemory() {
        long bytes = 0;
        for (PtxPlan.Given given : plan.arguments()) {
            bytes += switch (given.argument()) {
                case PtxArgument.Scalar _ -> 0;
                case PtxArgument.Buffer buffer -> buffer.bytes();
                case PtxArgument.Mapped mapped -> mapped.buffer().bytes();
            };
            boolean isEmulated = gpu instanceof EmulatedGpu;
            // Three copies: there, before and after.
            long host = Device.usableMemory() / 3;
            long books = Runtime.getRuntime().maxMemory() / HEAP_SHARE;
            long most = Math.min(host, isEmulated ? books : gpu.facts().memoryBytes());
            if (bytes < 0 || bytes > most) {
                throw new BadInput("%s: buffers up to %s take %s, expected %s at most%s."
                        .formatted(
                                plan.kernel(),
                                given.parameter(),
                                bytes < 0 ? "more than any memory" : Amounts.of(bytes, "bytes"),
                                Amounts.of(most, "bytes"),
                                isEmulated && books < host
                                        ? ": make them smaller, or give Java a larger heap, WOK_JAVA_OPTIONS=-Xmx8g"
                                        : ": make them smaller"));
            }
        }
    }

    /// Ends the launch in progress, from another thread.
    void stop() {
        isStopped = true;
        thread.interrupt();
    }
}
