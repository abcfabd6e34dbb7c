package dev.wok.device;

import dev.wok.device.emulated.Emulation;
import dev.wok.device.emulated.Emulation.Piece;
import dev.wok.device.emulated.SharedFile;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.locks.ReentrantLock;
import org.jspecify.annotations.Nullable;

/// A GPU that does not exist: runs PTX on the host, slowly, and reports what a chip would pass over in silence, such as
/// accesses out of bounds and races, as a [PtxFault] that names the line and the lanes.
///
/// It runs the instructions of every architecture up to `sm_90a`. Results are those of the chip to the bit wherever PTX
/// says what they are; sums within one matrix instruction and approximate functions are rounded once, where chips
/// differ among themselves. A launch is over when the call returns.
public final class EmulatedGpu implements Gpu {
    /// The most bytes of shared memory that a block may have.
    public static final int MOST_SHARED = Emulation.MOST_SHARED;

    private static final int CLOCK_KHZ = 1;
    private static final GpuFacts FACTS = new GpuFacts(
            0,
            "emulated GPU",
            new ComputeCapability(9, 0),
            Device.hostMemory(),
            132,
            Emulation.MOST_SHARED,
            1 << 20,
            CLOCK_KHZ,
            new Version(13, 0),
            new Version(9, 0));

    private final Emulation emulation = new Emulation();
    private final EmulatedStream main = new EmulatedStream(this);
    private final List<AutoCloseable> open = new ArrayList<>();
    private final CopyOnWriteArrayList<EmulatedGpu> reached = new CopyOnWriteArrayList<>();
    private final Arena shared = Arena.ofShared();
    private final Map<Long, SharedFile> exported = new HashMap<>();
    private final ReentrantLock working = new ReentrantLock();
    private final List<EmulatedStream> streams = new CopyOnWriteArrayList<>(List.of(main));
    private volatile boolean isLate;
    private boolean isClosed;
    private boolean isIdle;
    private Emulation.@Nullable Report report;

    EmulatedGpu() {}

    /// What the last launch did.
    ///
    /// @param instructions executed, of whole warps
    /// @param bankConflicts by line of the PTX: how many more times than the access needed shared memory was asked
    public record LaunchReport(long instructions, Map<Integer, Long> bankConflicts) {}

    /// What a text says of a kernel.
    ///
    /// @param block threads of a block that it demands (`.reqntid`), three sizes, or empty
    /// @param maxThreads of a block (`.maxntid`), or 0
    /// @param cluster blocks of a cluster that it demands (`.reqnctapercluster`), or empty
    /// @param sharedBytes of variables whose size the text says
    /// @param takesShared whether there is shared memory whose size a launch says
    public record Kernel(
            List<Parameter> parameters,
            List<Integer> block,
            int maxThreads,
            List<Integer> cluster,
            int sharedBytes,
            boolean takesShared) {
        /// @param type of an element, `u64`
        /// @param bytes of all of it
        /// @param isArray whether it has a number of elements
        public record Parameter(String name, String type, int bytes, boolean isArray) {}
    }

    /// @return the warp instructions that the launch in progress, or else the last one, has executed; any thread
    ///     may ask
    public long executed() {
        return emulation.executed();
    }

    /// @return what the last launch did
    /// @throws IllegalStateException where there was none
    public LaunchReport lastLaunch() {
        if (report == null) {
            throw new IllegalStateException("nothing was launched yet");
        }
        return new LaunchReport(report.instructions(), report.bankConflicts());
    }

    /// From now on launches are checked and nothing runs, uploads do nothing, and new memory of the
    /// device has addresses alone: for whoever wants to know what would be launched.
    public void idle() {
        isIdle = true;
    }

    /// From now on work of a stream is done as late as a chip may do it: when somebody waits for it, or asks
    /// for the second time whether it is done. For whoever wants to know whether he waits for all that he
    /// needs.
    public void delay() {
        isLate = true;
    }

    @Override
    public GpuFacts facts() {
        return FACTS;
    }

    @Override
    public String describe() {
        return "emulated GPU (%s): runs PTX on the host with every check on".formatted(target());
    }

    @Override
    public Program load(String ptx) {
        requireOpen();
        try {
            return keep(new Program(emulation.load(ptx)));
        } catch (PtxFault e) {
            throw new PtxRejected(
                    target(),
                    ptx,
                    String.valueOf(e.getMessage()).lines().findFirst().orElse(""));
        }
    }

    @Override
    public EmulatedStream stream() {
        return main;
    }

    @Override
    public EmulatedStream newStream() {
        requireOpen();
        EmulatedStream stream = new EmulatedStream(this);
        streams.add(stream);
        return stream;
    }

    private void finishAll() {
        streams.forEach(EmulatedStream::finish);
    }

    @Override
    public EmulatedMemory memory() {
        requireOpen();
        requireNotCapturing();
        return keep(new EmulatedMemory(this, isIdle ? EmulatedMemory.Kind.NOTHING : EmulatedMemory.Kind.DEVICE));
    }

    /// @return memory whose tensors are an error to read before something wrote them
    public EmulatedMemory unwrittenMemory() {
        requireOpen();
        return keep(new EmulatedMemory(this, EmulatedMemory.Kind.UNWRITTEN));
    }

    @Override
    public EmulatedMemory pinned() {
        requireOpen();
        return keep(new EmulatedMemory(this, EmulatedMemory.Kind.PINNED));
    }

    @Override
    public EmulatedMemory pooled(GpuStream stream) {
        return memory();
    }

    @Override
    public boolean canReach(Gpu other) {
        return other instanceof EmulatedGpu;
    }

    /// Lets copies of this GPU read and write the memory of another one; its kernels touch this one's alone.
    @Override
    public void reach(Gpu other) {
        if (!(other instanceof EmulatedGpu peer)) {
            throw new IllegalArgumentException(
                    "%s does not see the memory of %s".formatted(describe(), other.describe()));
        }
        if (peer != this) {
            reached.addIfAbsent(peer);
        }
    }

    @Override
    public synchronized byte[] export(Tensor tensor) {
        requireOpen();
        long address = tensor.memory().address();
        SharedFile file = exported.get(address);
        if (file == null) {
            file = SharedFile.create(tensor.bytes(), shared);
            emulation.move(address, file.bytes());
            exported.put(address, file);
        }
        return file.handle();
    }

    @Override
    public Import open(byte[] handle, DType dtype, long... shape) {
        requireOpen();
        Arena arena = Arena.ofShared();
        try {
            MemorySegment bytes = SharedFile.open(
                    handle, Tensor.of(MemorySegment.NULL, dtype, shape).bytes(), arena);
            Tensor tensor = Tensor.of(bytes, dtype, shape);
            return keep(new Opened(tensor, emulation.share("another process's " + tensor, bytes), arena));
        } catch (IllegalArgumentException e) {
            arena.close();
            throw e;
        }
    }

    /// Another process's memory, which this one sees at an address of its own.
    private final class Opened implements Import {
        private final Tensor tensor;
        private final Piece piece;
        private final Arena arena;

        Opened(Tensor tensor, Piece piece, Arena arena) {
            this.tensor = tensor;
            this.piece = piece;
            this.arena = arena;
        }

        @Override
        public Tensor tensor() {
            return tensor;
        }

        @Override
        public void close() {
            if (arena.scope().isAlive()) {
                emulation.free(piece);
                arena.close();
            }
        }
    }

    @Override
    public void upload(Tensor host, Tensor here) {
        Shape.require("Gpu.upload", host, "host", here.shape());
        requireNotCapturing();
        if (here.elements() > 0) {
            Tensor now = isLate ? copy(host) : host;
            main.run(() -> {
                emulation.markWritten(here.memory().address(), here.extent());
                view(here).copyFrom(now);
            });
        }
    }

    private static Tensor copy(Tensor host) {
        Tensor copy = Tensor.allocate(Arena.ofAuto(), host.dtype(), host.shape());
        copy.copyFrom(host);
        return copy;
    }

    @Override
    public void download(Tensor here, Tensor host) {
        Shape.require("Gpu.download", host, "host", here.shape());
        requireNotCapturing();
        main.finish();
        if (here.elements() > 0) {
            host.copyFrom(view(here));
        }
    }

    /// @return a tensor that the host can read, over the bytes of one on this GPU
    Tensor view(Tensor here) {
        MemorySegment bytes = emulation.find(here.memory().address(), here.extent());
        if (bytes == null) {
            throw new IllegalArgumentException("%s does not lie in memory of this GPU".formatted(here));
        }
        return here.over(bytes);
    }

    /// @return as [#view], also over bytes of a GPU that this one reaches
    private Tensor viewOfReached(Tensor there) {
        for (EmulatedGpu peer : reached) {
            MemorySegment bytes = peer.emulation.find(there.memory().address(), there.extent());
            if (bytes != null) {
                return there.over(bytes);
            }
        }
        return view(there);
    }

    Emulation emulation() {
        return emulation;
    }

    void launch(Program program, String kernel, Launch launch, List<byte[]> arguments) {
        requireOpen();
        report = emulation.launch(program.program, kernel, launch, arguments);
    }

    private synchronized <T extends AutoCloseable> T keep(T part) {
        open.add(part);
        return part;
    }

    private void requireOpen() {
        if (isClosed) {
            throw new IllegalStateException("the emulated GPU is closed");
        }
    }

    /// As a driver has it.
    private void requireNotCapturing() {
        if (main.captured != null) {
            throw new IllegalStateException("memory was taken, or waited for, while work is captured");
        }
    }

    @Override
    public synchronized void close() {
        finishAll();
        isClosed = true;
        for (AutoCloseable part : open.reversed()) {
            switch (part) {
                case Program program -> program.close();
                case EmulatedMemory memory -> memory.close();
                case Opened opened -> opened.close();
                default -> throw new IllegalStateException("nobody closes " + part);
            }
        }
        open.clear();
        exported.values().forEach(SharedFile::delete);
        exported.clear();
        if (shared.scope().isAlive()) {
            shared.close();
            emulation.close();
        }
    }

    /// PTX on the emulated GPU.
    public final class Program implements PtxProgram {
        private final Emulation.Program program;

        private Program(Emulation.Program program) {
            this.program = program;
        }

        /// @return the kernels' names, in the order of the text
        public List<String> kernels() {
            return program.kernels();
        }

        /// @return the sizes in bytes of a kernel's parameters, by name in their order
        public Map<String, Integer> parameters(String kernel) {
            Map<String, Integer> sizes = program.parameters(kernel);
            if (sizes == null) {
                throw new IllegalArgumentException("no kernel is called %s; there are %s".formatted(kernel, kernels()));
            }
            return sizes;
        }

        /// @return what the text says of a kernel
        public Kernel kernel(String name) {
            Map<String, Integer> _ = parameters(name);
            return Objects.requireNonNull(program.kernel(name));
        }

        @Override
        public PtxFunction function(String name) {
            Map<String, Integer> _ = parameters(name);
            return new Function(this, name);
        }

        @Override
        public Variable variable(String name) {
            long[] found = program.variable(name);
            if (found == null) {
                throw new IllegalArgumentException("no variable is called " + name);
            }
            return new Variable(found[0], found[1]);
        }

        @Override
        public String log() {
            return String.join("\n", program.describe());
        }

        @Override
        public void close() {
            program.close();
        }

        EmulatedGpu gpu() {
            return EmulatedGpu.this;
        }
    }

    record Function(Program program, String name) implements PtxFunction {
        /// @return the bytes of each argument
        List<byte[]> pack(Object... arguments) {
            List<Integer> sizes = new ArrayList<>(program.parameters(name).values());
            List<byte[]> packed = new ArrayList<>();
            for (int i = 0; i < arguments.length; i++) {
                packed.add(pack(arguments[i], i < sizes.size() ? sizes.get(i) : 0));
            }
            return packed;
        }

        private byte[] pack(Object argument, int size) {
            ByteBuffer word = ByteBuffer.allocate(Long.BYTES).order(ByteOrder.LITTLE_ENDIAN);
            return switch (argument) {
                case TensorMap map -> Emulation.encode(map);
                case Tensor tensor -> word.putLong(tensor.memory().address()).array();
                case MemorySegment memory -> word.putLong(memory.address()).array();
                case Long value -> word.putLong(value).array();
                case Double value -> word.putDouble(value).array();
                case Integer value -> shorten(word.putInt(value), Integer.BYTES);
                case Float value -> shorten(word.putFloat(value), Float.BYTES);
                case Short value -> shorten(word.putShort(value), Short.BYTES);
                case Byte value -> new byte[] {value};
                default ->
                    throw new IllegalArgumentException("%s: an argument for a parameter of %d bytes is a %s"
                            .formatted(name, size, argument.getClass().getSimpleName()));
            };
        }

        private static byte[] shorten(ByteBuffer word, int bytes) {
            return java.util.Arrays.copyOf(word.array(), bytes);
        }
    }

    /// Memory of the emulated GPU.
    public static final class EmulatedMemory implements Memory {
        /// How the host sees it.
        enum Kind {
            DEVICE,
            UNWRITTEN,
            PINNED,
            /// Addresses that belong to nothing.
            NOTHING
        }

        /// What lies around pinned memory, so that an index that runs over hits nothing.
        private static final long MARGIN = 4096;

        private final EmulatedGpu gpu;
        private final Emulation emulation;
        private final Kind kind;
        private final Arena arena = Arena.ofShared();
        private final List<Piece> pieces = new ArrayList<>();
        private long bytes;

        EmulatedMemory(EmulatedGpu gpu, Kind kind) {
            this.gpu = gpu;
            this.emulation = gpu.emulation;
            this.kind = kind;
        }

        @Override
        public Tensor tensor(DType dtype, long... shape) {
            return named(Tensor.of(MemorySegment.NULL, dtype, shape).toString(), dtype, shape);
        }

        /// As [#tensor].
        ///
        /// @param name what a [PtxFault] calls it
        public synchronized Tensor named(String name, DType dtype, long... shape) {
            Tensor sizes = Tensor.of(MemorySegment.NULL, dtype, shape);
            bytes += sizes.bytes();
            if (kind == Kind.NOTHING) {
                return Tensor.of(MemorySegment.ofAddress(emulation.reserve(sizes.bytes())), dtype, shape);
            }
            if (kind == Kind.PINNED) {
                MemorySegment memory =
                        arena.allocate(sizes.bytes() + 2 * MARGIN, 256).asSlice(MARGIN, sizes.bytes());
                pieces.add(emulation.share(name, memory));
                return Tensor.of(memory, dtype, shape);
            }
            Piece piece = emulation.allocate(name, sizes.bytes(), kind == Kind.DEVICE, arena);
            pieces.add(piece);
            return Tensor.of(MemorySegment.ofAddress(piece.address()), dtype, shape);
        }

        @Override
        public long bytes() {
            return bytes;
        }

        @Override
        public synchronized void close() {
            gpu.finishAll();
            pieces.forEach(emulation::free);
            pieces.clear();
            if (arena.scope().isAlive()) {
                arena.close();
            }
        }
    }

    /// A stream of the emulated GPU: what is called is done at once, but for [#delay].
    public static final class EmulatedStream implements GpuStream {
        private final EmulatedGpu gpu;
        private final Deque<Runnable> queue = new ArrayDeque<>();
        private @Nullable List<Runnable> captured;

        EmulatedStream(EmulatedGpu gpu) {
            this.gpu = gpu;
        }

        @Override
        public EmulatedGpu device() {
            return gpu;
        }

        private void run(Runnable work) {
            if (gpu.isIdle) {
                return;
            }
            if (captured != null) {
                captured.add(work);
            } else if (gpu.isLate) {
                alone(() -> queue.add(work));
            } else {
                work.run();
            }
        }

        private void alone(Runnable what) {
            gpu.working.lock();
            try {
                what.run();
            } finally {
                gpu.working.unlock();
            }
        }

        /// Does what was called until an event has come, or all.
        private void finish(@Nullable Event event) {
            alone(() -> {
                while (!queue.isEmpty() && (event == null || !event.hasCome)) {
                    queue.remove().run();
                }
            });
        }

        private void finish() {
            finish(null);
        }

        @Override
        public void launch(PtxFunction function, Launch launch, Object... arguments) {
            if (!(function instanceof Function own) || own.program().gpu() != gpu) {
                throw new IllegalArgumentException("%s is no function of this GPU".formatted(function.name()));
            }
            List<byte[]> packed = own.pack(arguments);
            run(() -> gpu.launch(own.program(), own.name(), launch, packed));
        }

        @Override
        public void copy(Tensor from, Tensor to) {
            Shape.require("GpuStream.copy", to, "to", from.shape());
            Shape.require("GpuStream.copy", to, "to", from.dtype());
            run(() -> {
                gpu.emulation().markWritten(to.memory().address(), to.extent());
                gpu.viewOfReached(to).copyFrom(gpu.viewOfReached(from));
            });
        }

        @Override
        public void fill(Tensor tensor, byte value) {
            Shape.requireContiguous("GpuStream.fill", tensor, "tensor");
            run(() -> {
                gpu.emulation().markWritten(tensor.memory().address(), tensor.bytes());
                gpu.view(tensor).memory().fill(value);
            });
        }

        @Override
        public GpuEvent record() {
            Event event = new Event(this);
            if (gpu.isLate) {
                run(event::come);
            } else {
                event.come();
            }
            return event;
        }

        @Override
        public void waitFor(GpuEvent event) {
            if (gpu.isLate) {
                run(event::synchronize);
            }
        }

        @Override
        public GpuGraph capture(Runnable work) {
            List<Runnable> kept = new ArrayList<>();
            captured = kept;
            try {
                work.run();
            } finally {
                captured = null;
            }
            return new Graph(this, kept);
        }

        @Override
        public void synchronize() {
            gpu.requireNotCapturing();
            finish();
        }

        @Override
        public void close() {
            finish();
            if (this != gpu.main) {
                gpu.streams.remove(this);
            }
        }
    }

    private record Graph(EmulatedStream stream, List<Runnable> work) implements GpuGraph {
        @Override
        public void launch() {
            stream.run(() -> work.forEach(Runnable::run));
        }

        @Override
        public void close() {}
    }

    private static final class Event implements GpuEvent {
        private final EmulatedStream stream;
        private volatile boolean hasCome;
        private long at;
        private boolean wasAsked;

        Event(EmulatedStream stream) {
            this.stream = stream;
        }

        private void come() {
            at = System.nanoTime();
            hasCome = true;
        }

        @Override
        public synchronized boolean isDone() {
            if (!hasCome && wasAsked) {
                stream.finish(this);
            }
            wasAsked = true;
            return hasCome;
        }

        @Override
        public void synchronize() {
            stream.finish(this);
        }

        @Override
        public long nanosSince(GpuEvent start) {
            return start instanceof Event other ? at - other.at : 0;
        }

        @Override
        public void close() {}
    }
}
