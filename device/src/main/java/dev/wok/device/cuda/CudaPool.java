package dev.wok.device.cuda;

import static dev.wok.device.cuda.Constant.CU_MEMPOOL_ATTR_RELEASE_THRESHOLD;
import static dev.wok.device.cuda.Constant.CU_MEM_ALLOCATION_TYPE_PINNED;
import static dev.wok.device.cuda.Constant.CU_MEM_HANDLE_TYPE_NONE;
import static dev.wok.device.cuda.Constant.CU_MEM_LOCATION_TYPE_DEVICE;

import java.lang.foreign.Arena;
import java.lang.foreign.MemoryLayout.PathElement;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// The driver's store of a GPU's memory that streams take from and give back to. It keeps what was given
/// back.
record CudaPool(CudaContext context, long handle) {
    static CudaPool create(CudaContext context) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment properties = arena.allocate(Structures.POOL_PROPERTIES);
            Structures.setInt(Structures.POOL_PROPERTIES, properties, "allocType", CU_MEM_ALLOCATION_TYPE_PINNED.value);
            Structures.setInt(Structures.POOL_PROPERTIES, properties, "handleTypes", CU_MEM_HANDLE_TYPE_NONE.value);
            long location = Structures.POOL_PROPERTIES.byteOffset(PathElement.groupElement("location"));
            properties.set(ValueLayout.JAVA_INT, location, CU_MEM_LOCATION_TYPE_DEVICE.value);
            properties.set(ValueLayout.JAVA_INT, location + Integer.BYTES, context.device());
            CudaPool pool = new CudaPool(context, context.out(DriverFunction.MEM_POOL_CREATE, properties.address()));
            try {
                MemorySegment all = arena.allocateFrom(ValueLayout.JAVA_LONG, Long.MAX_VALUE);
                context.run(
                        DriverFunction.MEM_POOL_SET_ATTRIBUTE,
                        pool.handle,
                        CU_MEMPOOL_ATTR_RELEASE_THRESHOLD.value,
                        all.address());
                return pool;
            } catch (RuntimeException e) {
                throw Closing.after(e, pool::destroy);
            }
        }
    }

    void destroy() {
        context.end(DriverFunction.MEM_POOL_DESTROY, handle);
    }
}
