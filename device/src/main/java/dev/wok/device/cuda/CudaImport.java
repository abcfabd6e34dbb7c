package dev.wok.device.cuda;

import static dev.wok.device.cuda.Constant.CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS;

import dev.wok.device.Gpu;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Memory of another process, see [Gpu#open].
record CudaImport(CudaGpu gpu, long address, Tensor tensor) implements Gpu.Import, Owned.Part {
    private static final int BYTES = (int) Structures.IPC_HANDLE.byteSize();

    static byte[] export(CudaGpu gpu, Tensor tensor) {
        Addresses.Block block = gpu.addresses().at(tensor.memory().address());
        if (block == null || !block.exportable() || block.gpu() != gpu.facts().index()) {
            throw new IllegalArgumentException(
                    "Gpu.export: %s does not begin where a tensor of memory() of this GPU begins".formatted(tensor));
        }
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment handle = arena.allocate(Structures.IPC_HANDLE);
            gpu.context().run(DriverFunction.IPC_GET_MEM_HANDLE, handle.address(), block.address());
            return handle.toArray(ValueLayout.JAVA_BYTE);
        }
    }

    static CudaImport open(CudaGpu gpu, byte[] handle, DType dtype, long... shape) {
        if (handle.length != BYTES) {
            throw new IllegalArgumentException("Gpu.open: the handle has %d bytes, expected the %d that export() gave"
                    .formatted(handle.length, BYTES));
        }
        long bytes = Tensor.of(MemorySegment.NULL, dtype, shape).bytes();
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment copy = arena.allocateFrom(ValueLayout.JAVA_BYTE, handle);
            long address = gpu.context()
                    .out(DriverFunction.IPC_OPEN_MEM_HANDLE, copy.address(), CU_IPC_MEM_LAZY_ENABLE_PEER_ACCESS.value);
            gpu.addresses().add(new Addresses.Block(address, bytes, gpu.facts().index(), false));
            return new CudaImport(gpu, address, Tensor.of(MemorySegment.ofAddress(address), dtype, shape));
        }
    }

    @Override
    public void close() {
        if (gpu.owned().remove(this)) {
            gpu.addresses().remove(address);
            gpu.context().end(DriverFunction.IPC_CLOSE_MEM_HANDLE, address);
        }
    }
}
