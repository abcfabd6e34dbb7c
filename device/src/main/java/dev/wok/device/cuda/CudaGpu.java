package dev.wok.device.cuda;

import static dev.wok.device.cuda.Constant.CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED;
import static dev.wok.device.cuda.Constant.CU_STREAM_NON_BLOCKING;

import dev.wok.device.Gpu;
import dev.wok.device.GpuFacts;
import dev.wok.device.GpuStream;
import dev.wok.device.Memory;
import dev.wok.device.PtxProgram;
import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;

/// A GPU behind NVIDIA's driver.
public final class CudaGpu implements Gpu {
    private static final double GIB = 1 << 30;

    private final CudaContext context;
    private final Addresses addresses;
    private final GpuFacts facts;
    private final CudaStream main;
    private final Owned owned = new Owned();
    private final Set<Integer> reached = ConcurrentHashMap.newKeySet();
    private final Staging staging = new Staging(this);
    private @Nullable CudaPool pool;
    private long zeroing;
    private boolean closed;

    private CudaGpu(CudaContext context, Addresses addresses, GpuFacts facts) {
        this.context = context;
        this.addresses = addresses;
        this.facts = facts;
        reached.add(facts.index());
        main = new CudaStream(this, newHandle(), true);
    }

    /// @param context is released with the GPU, also where it cannot be opened
    static CudaGpu open(CudaContext context, Addresses addresses, GpuFacts facts) {
        try {
            return new CudaGpu(context, addresses, facts);
        } catch (RuntimeException e) {
            throw Closing.after(e, context::release);
        }
    }

    private long newHandle() {
        return context.out(DriverFunction.STREAM_CREATE, CU_STREAM_NON_BLOCKING.value);
    }

    CudaContext context() {
        return context;
    }

    Addresses addresses() {
        return addresses;
    }

    Owned owned() {
        return owned;
    }

    /// @return whether kernels of this GPU may touch the memory of one, by its index
    boolean reaches(int gpu) {
        return reached.contains(gpu);
    }

    /// Waits until bytes of this GPU's memory are zero; what runs in streams meanwhile is not waited for.
    synchronized void zero(long address, long bytes) {
        if (zeroing == 0) {
            zeroing = newHandle();
        }
        context.run(DriverFunction.MEMSET_D8_ASYNC, address, 0, bytes, zeroing);
        context.run(DriverFunction.STREAM_SYNCHRONIZE, zeroing);
    }

    @Override
    public GpuFacts facts() {
        return facts;
    }

    @Override
    public String describe() {
        return "%s, %s, %.0f GiB, %d multiprocessors, driver of CUDA %s"
                .formatted(facts.name(), target(), facts.memoryBytes() / GIB, facts.multiprocessors(), facts.driver());
    }

    @Override
    public PtxProgram load(String ptx) {
        return CudaProgram.load(this, ptx);
    }

    @Override
    public CudaStream stream() {
        return main;
    }

    @Override
    public GpuStream newStream() {
        return owned.add(new CudaStream(this, newHandle(), false));
    }

    @Override
    public Memory memory() {
        context.requireOpen();
        return owned.add(new CudaMemory(this, owned, new CudaMemory.OfGpu(this)));
    }

    @Override
    public Memory pinned() {
        context.requireOpen();
        return owned.add(new CudaMemory(this, owned, new CudaMemory.OfHost(context)));
    }

    @Override
    public Memory pooled(GpuStream stream) {
        CudaStream own = own(stream);
        context.requireOpen();
        return own.owned().add(new CudaMemory(this, own.owned(), new CudaMemory.OfPool(pool(), own)));
    }

    private synchronized CudaPool pool() {
        if (pool == null) {
            pool = CudaPool.create(context);
        }
        return pool;
    }

    private CudaStream own(GpuStream stream) {
        if (!(stream instanceof CudaStream own) || own.device() != this) {
            throw new IllegalArgumentException("the stream is one of %s, expected one of this GPU, %s"
                    .formatted(stream.device().describe(), describe()));
        }
        return own;
    }

    @Override
    public boolean canReach(Gpu other) {
        CudaGpu peer = driven(other);
        return reaches(peer.facts.index())
                || context.out(DriverFunction.DEVICE_CAN_ACCESS_PEER, context.device(), peer.context.device()) != 0;
    }

    @Override
    public void reach(Gpu other) {
        CudaGpu peer = driven(other);
        if (reaches(peer.facts.index())) {
            return;
        }
        int status = context.status(DriverFunction.CTX_ENABLE_PEER_ACCESS, peer.context.handle(), 0);
        if (status != 0 && status != CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED.value) {
            throw context.failure(status, DriverFunction.CTX_ENABLE_PEER_ACCESS.text(peer.context.handle(), 0));
        }
        reached.add(peer.facts.index());
    }

    private CudaGpu driven(Gpu other) {
        if (!(other instanceof CudaGpu peer) || peer.addresses != addresses) {
            throw new IllegalArgumentException(
                    "%s is not behind the same driver as %s".formatted(other.describe(), describe()));
        }
        return peer;
    }

    @Override
    public byte[] export(Tensor tensor) {
        return CudaImport.export(this, tensor);
    }

    @Override
    public Import open(byte[] handle, DType dtype, long... shape) {
        return owned.add(CudaImport.open(this, handle, dtype, shape));
    }

    @Override
    public void upload(Tensor host, Tensor here) {
        Shape.require("Gpu.upload", host, "host", here.shape());
        addresses.require("Gpu.upload: here", here, this::reaches);
        staging.upload(host, here);
    }

    @Override
    public void download(Tensor here, Tensor host) {
        Shape.require("Gpu.download", host, "host", here.shape());
        addresses.require("Gpu.download: here", here, this::reaches);
        staging.download(here, host);
    }

    @Override
    public synchronized void close() {
        if (closed) {
            return;
        }
        closed = true;
        Closing closing = new Closing().then(() -> context.run(DriverFunction.CTX_SYNCHRONIZE));
        owned.close(closing);
        closing.then(main::end);
        if (zeroing != 0) {
            closing.then(() -> context.end(DriverFunction.STREAM_DESTROY, zeroing));
        }
        if (pool != null) {
            closing.then(pool::destroy);
        }
        closing.then(context::release).end();
    }
}
