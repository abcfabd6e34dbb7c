package dev.wok.device.cuda;

import static dev.wok.device.cuda.Constant.CUDA_ERROR_INVALID_IMAGE;
import static dev.wok.device.cuda.Constant.CUDA_ERROR_INVALID_PTX;
import static dev.wok.device.cuda.Constant.CUDA_ERROR_INVALID_SOURCE;
import static dev.wok.device.cuda.Constant.CUDA_ERROR_NOT_FOUND;
import static dev.wok.device.cuda.Constant.CUDA_ERROR_NO_BINARY_FOR_GPU;
import static dev.wok.device.cuda.Constant.CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
import static dev.wok.device.cuda.Constant.CU_JIT_ERROR_LOG_BUFFER;
import static dev.wok.device.cuda.Constant.CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES;
import static dev.wok.device.cuda.Constant.CU_JIT_INFO_LOG_BUFFER;
import static dev.wok.device.cuda.Constant.CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES;
import static dev.wok.device.cuda.Constant.CU_JIT_LOG_VERBOSE;

import dev.wok.device.PtxFunction;
import dev.wok.device.PtxProgram;
import dev.wok.device.PtxRejected;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Map;
import java.util.SequencedMap;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/// A module of the driver's.
final class CudaProgram implements PtxProgram, Owned.Part {
    private static final int LOG_BYTES = 64 << 10;
    private static final Set<Integer> REJECTED = Set.of(
            CUDA_ERROR_INVALID_IMAGE.value,
            CUDA_ERROR_NO_BINARY_FOR_GPU.value,
            CUDA_ERROR_INVALID_PTX.value,
            CUDA_ERROR_UNSUPPORTED_PTX_VERSION.value,
            CUDA_ERROR_INVALID_SOURCE.value);

    private final CudaGpu gpu;
    private final long handle;
    private final SequencedMap<String, PtxEntry> entries;
    private final String log;
    private final Map<String, CudaKernel> kernels = new ConcurrentHashMap<>();
    private final Map<String, Variable> variables = new ConcurrentHashMap<>();

    private CudaProgram(CudaGpu gpu, long handle, SequencedMap<String, PtxEntry> entries, String log) {
        this.gpu = gpu;
        this.handle = handle;
        this.entries = entries;
        this.log = log;
    }

    static CudaProgram load(CudaGpu gpu, String ptx) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment module = arena.allocate(ValueLayout.JAVA_LONG);
            MemorySegment text = arena.allocateFrom(ptx);
            MemorySegment info = arena.allocate(LOG_BYTES);
            MemorySegment error = arena.allocate(LOG_BYTES);
            MemorySegment options = arena.allocateFrom(
                    ValueLayout.JAVA_INT,
                    CU_JIT_INFO_LOG_BUFFER.value,
                    CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES.value,
                    CU_JIT_ERROR_LOG_BUFFER.value,
                    CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES.value,
                    CU_JIT_LOG_VERBOSE.value);
            MemorySegment values = arena.allocateFrom(
                    ValueLayout.JAVA_LONG, info.address(), LOG_BYTES - 1, error.address(), LOG_BYTES - 1, 1);
            long[] words = {module.address(), text.address(), 5, options.address(), values.address()};
            int status = gpu.context().status(DriverFunction.MODULE_LOAD_DATA_EX, words);
            if (status != 0) {
                throw failure(gpu, ptx, status, error.getString(0), words);
            }
            long handle = module.get(ValueLayout.JAVA_LONG, 0);
            try {
                return gpu.owned().add(new CudaProgram(gpu, handle, PtxEntry.of(ptx), info.getString(0)));
            } catch (IllegalArgumentException e) {
                throw Closing.after(e, () -> gpu.context().end(DriverFunction.MODULE_UNLOAD, handle));
            }
        }
    }

    private static RuntimeException failure(CudaGpu gpu, String ptx, int status, String log, long... words) {
        if (!log.isBlank()) {
            return new PtxRejected(gpu.target(), ptx, log);
        }
        if (REJECTED.contains(status)) {
            String reason = "%s; this driver reads PTX up to %s"
                    .formatted(gpu.context().text(status), gpu.facts().ptx());
            return new PtxRejected(gpu.target(), ptx, reason);
        }
        return gpu.context().failure(status, DriverFunction.MODULE_LOAD_DATA_EX.text(words));
    }

    CudaGpu gpu() {
        return gpu;
    }

    void requireOpen() {
        if (!gpu.owned().has(this)) {
            throw new IllegalStateException("this program is closed");
        }
    }

    @Override
    public PtxFunction function(String name) {
        requireOpen();
        return kernels.computeIfAbsent(name, this::find);
    }

    private CudaKernel find(String name) {
        PtxEntry entry = entries.get(name);
        if (entry == null) {
            throw new IllegalArgumentException("no entry %s in this program, which has %s"
                    .formatted(name, entries.isEmpty() ? "none" : String.join(", ", entries.keySet())));
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocateFrom(name);
            long function = gpu.context().out(DriverFunction.MODULE_GET_FUNCTION, handle, text.address());
            return new CudaKernel(this, function, entry);
        }
    }

    @Override
    public Variable variable(String name) {
        requireOpen();
        return variables.computeIfAbsent(name, this::locate);
    }

    private Variable locate(String name) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment text = arena.allocateFrom(name);
            MemorySegment outs = arena.allocate(ValueLayout.JAVA_LONG, 2);
            long[] words = {outs.address(), outs.address() + Long.BYTES, handle, text.address()};
            int status = gpu.context().status(DriverFunction.MODULE_GET_GLOBAL, words);
            if (status == CUDA_ERROR_NOT_FOUND.value) {
                throw new IllegalArgumentException(
                        "no variable %s in this program: declare it as .visible .global or .const".formatted(name));
            }
            if (status != 0) {
                throw gpu.context().failure(status, DriverFunction.MODULE_GET_GLOBAL.text(words));
            }
            Variable variable =
                    new Variable(outs.getAtIndex(ValueLayout.JAVA_LONG, 0), outs.getAtIndex(ValueLayout.JAVA_LONG, 1));
            gpu.addresses()
                    .add(new Addresses.Block(
                            variable.address(), variable.bytes(), gpu.facts().index(), false));
            return variable;
        }
    }

    @Override
    public String log() {
        return log;
    }

    @Override
    public void close() {
        if (gpu.owned().remove(this)) {
            variables.values().forEach(variable -> gpu.addresses().remove(variable.address()));
            gpu.context().end(DriverFunction.MODULE_UNLOAD, handle);
        }
    }
}
