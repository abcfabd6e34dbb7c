package dev.wok.device.cuda;

import static dev.wok.device.cuda.Constant.CU_EVENT_DISABLE_TIMING;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// Copies between a GPU and any memory of the host, converting the type on the host: through two halves
/// of pinned memory, so that the host converts into one while the GPU copies the other.
final class Staging {
    private static final long HALF_BYTES = 4 << 20;
    private static final long ALIGNMENT = 64;

    /// One piece of a copy.
    private interface Piece {
        void copy(Tensor here, Tensor host);
    }

    /// @param done the GPU's last copy from or to this half
    /// @param after what the host does once it is done
    private record Half(MemorySegment memory, CudaEvent done, List<Runnable> after) {
        void finish() {
            done.synchronize();
            after.forEach(Runnable::run);
            after.clear();
        }
    }

    private final CudaGpu gpu;
    private @Nullable List<Half> halves;
    private int current;
    private long top;

    Staging(CudaGpu gpu) {
        this.gpu = gpu;
    }

    /// @param here contiguous or not, in memory of the GPU
    synchronized void upload(Tensor host, Tensor here) {
        requireHost("Gpu.upload", host);
        inPieces(here, host, (to, from) -> {
            Tensor staged = stage(to);
            staged.copyFrom(from);
            gpu.stream().copy(staged.memory().address(), to.memory().address(), to.bytes());
        });
    }

    synchronized void download(Tensor here, Tensor host) {
        requireHost("Gpu.download", host);
        inPieces(here, host, (from, to) -> {
            Tensor staged = stage(from);
            gpu.stream().copy(from.memory().address(), staged.memory().address(), from.bytes());
            half().after.add(() -> to.copyFrom(staged));
        });
    }

    private static void requireHost(String who, Tensor host) {
        if (host.elements() > 0 && host.memory().byteSize() == 0) {
            throw new IllegalArgumentException("%s: host, %s, has no memory of the host".formatted(who, host));
        }
    }

    private void inPieces(Tensor here, Tensor host, Piece piece) {
        prepare();
        try {
            split(here, host, piece);
            gpu.stream().synchronize();
            for (int i = 0; i < 2; i++) {
                flip();
            }
        } catch (RuntimeException e) {
            throw Closing.after(e, this::abandon);
        }
    }

    private void split(Tensor here, Tensor host, Piece piece) {
        if (here.elements() == 0) {
            return;
        }
        if (here.isContiguous() && here.bytes() <= HALF_BYTES) {
            piece.copy(here, host);
            return;
        }
        long rows = here.dim(0);
        long fitting = here.isContiguous() ? HALF_BYTES * rows / here.bytes() : 0;
        if (fitting > 1) {
            for (long row = 0; row < rows; row += fitting) {
                long end = Math.min(row + fitting, rows);
                piece.copy(here.slice(0, row, end), host.slice(0, row, end));
            }
        } else {
            for (long row = 0; row < rows; row++) {
                split(here.select(0, row), host.select(0, row), piece);
            }
        }
    }

    private void prepare() {
        if (halves == null) {
            MemorySegment memory = gpu.pinned().tensor(DType.U8, 2 * HALF_BYTES).memory();
            halves = List.of(half(memory, 0), half(memory, HALF_BYTES));
        }
    }

    private Half half(MemorySegment memory, long from) {
        CudaEvent done = CudaEvent.create(gpu, CU_EVENT_DISABLE_TIMING);
        return new Half(memory.asSlice(from, HALF_BYTES), done, new ArrayList<>());
    }

    private Half half() {
        if (halves == null) {
            throw new IllegalStateException("no staging memory yet");
        }
        return halves.get(current);
    }

    /// @param piece of the GPU's memory, no larger than a half
    /// @return pinned memory of its size and type
    private Tensor stage(Tensor piece) {
        if (top + piece.bytes() > HALF_BYTES) {
            flip();
        }
        long from = top;
        top = (top + piece.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        return Tensor.of(half().memory.asSlice(from, piece.bytes()), piece.dtype(), piece.shape());
    }

    /// Goes on with the other half, once that is free.
    private void flip() {
        half().done.record(gpu.stream());
        current = 1 - current;
        top = 0;
        half().finish();
    }

    private void abandon() {
        current = 0;
        top = 0;
        if (halves != null) {
            halves.forEach(half -> half.after.clear());
        }
        gpu.stream().synchronize();
    }
}
