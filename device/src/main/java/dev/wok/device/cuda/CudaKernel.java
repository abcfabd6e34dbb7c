package dev.wok.device.cuda;

import static dev.wok.device.cuda.Constant.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
import static dev.wok.device.cuda.Constant.CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED;

import dev.wok.device.Launch;
import dev.wok.device.PtxFunction;

/// A function of a program, and what it has been allowed so far.
final class CudaKernel implements PtxFunction {
    private static final int PORTABLE_CLUSTER = 8;

    private final CudaProgram program;
    private final long handle;
    private final PtxEntry entry;
    private int sharedBytes;
    private boolean largeClusters;

    CudaKernel(CudaProgram program, long handle, PtxEntry entry) {
        this.program = program;
        this.handle = handle;
        this.entry = entry;
        sharedBytes = (int) context()
                .out(DriverFunction.FUNC_GET_ATTRIBUTE, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES.value, handle);
    }

    private CudaContext context() {
        return program.gpu().context();
    }

    @Override
    public String name() {
        return entry.name();
    }

    CudaProgram program() {
        return program;
    }

    long handle() {
        return handle;
    }

    PtxEntry entry() {
        return entry;
    }

    /// Asks the driver for what a launch needs and functions do not have by themselves: more shared memory
    /// than 48 KiB, clusters of more than 8 blocks.
    synchronized void allow(Launch launch) {
        if (launch.sharedBytes() > sharedBytes) {
            set(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, launch.sharedBytes());
            sharedBytes = launch.sharedBytes();
        }
        if (launch.clusterBlocks() > PORTABLE_CLUSTER && !largeClusters) {
            set(CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED, 1);
            largeClusters = true;
        }
    }

    private void set(Constant attribute, int value) {
        context().run(DriverFunction.FUNC_SET_ATTRIBUTE, handle, attribute.value, value);
    }
}
