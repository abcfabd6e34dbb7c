package dev.wok.device.cuda;

import dev.wok.device.Version;
import java.util.ArrayList;
import java.util.List;

/// The functions of NVIDIA's driver that are called here, as `cuda.h` declares them.
enum DriverFunction {
    // spotless:off
    INIT("CUresult cuInit(unsigned int Flags)"),
    DRIVER_GET_VERSION("CUresult cuDriverGetVersion(int *driverVersion)"),
    GET_ERROR_NAME("CUresult cuGetErrorName(CUresult error, const char **pStr)"),
    GET_ERROR_STRING("CUresult cuGetErrorString(CUresult error, const char **pStr)"),

    DEVICE_GET_COUNT("CUresult cuDeviceGetCount(int *count)"),
    DEVICE_GET("CUresult cuDeviceGet(CUdevice *device, int ordinal)"),
    DEVICE_GET_NAME("CUresult cuDeviceGetName(char *name, int len, CUdevice dev)"),
    DEVICE_TOTAL_MEM("CUresult cuDeviceTotalMem_v2(size_t *bytes, CUdevice dev)"),
    DEVICE_GET_ATTRIBUTE("CUresult cuDeviceGetAttribute(int *pi, CUdevice_attribute attrib, CUdevice dev)"),
    DEVICE_CAN_ACCESS_PEER("CUresult cuDeviceCanAccessPeer(int *canAccessPeer, CUdevice dev, CUdevice peerDev)"),

    PRIMARY_CTX_RETAIN("CUresult cuDevicePrimaryCtxRetain(CUcontext *pctx, CUdevice dev)"),
    PRIMARY_CTX_RELEASE("CUresult cuDevicePrimaryCtxRelease_v2(CUdevice dev)"),
    CTX_SET_CURRENT("CUresult cuCtxSetCurrent(CUcontext ctx)"),
    CTX_SYNCHRONIZE("CUresult cuCtxSynchronize(void)"),
    CTX_ENABLE_PEER_ACCESS("CUresult cuCtxEnablePeerAccess(CUcontext peerContext, unsigned int Flags)"),

    MODULE_LOAD_DATA_EX("CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned int numOptions,"
            + " CUjit_option *options, void **optionValues)"),
    MODULE_UNLOAD("CUresult cuModuleUnload(CUmodule hmod)"),
    MODULE_GET_FUNCTION("CUresult cuModuleGetFunction(CUfunction *hfunc, CUmodule hmod, const char *name)"),
    MODULE_GET_GLOBAL("CUresult cuModuleGetGlobal_v2(CUdeviceptr *dptr, size_t *bytes, CUmodule hmod,"
            + " const char *name)"),
    FUNC_GET_ATTRIBUTE("CUresult cuFuncGetAttribute(int *pi, CUfunction_attribute attrib, CUfunction hfunc)"),
    FUNC_SET_ATTRIBUTE("CUresult cuFuncSetAttribute(CUfunction hfunc, CUfunction_attribute attrib, int value)"),
    LAUNCH_KERNEL("CUresult cuLaunchKernel(CUfunction f, unsigned int gridDimX, unsigned int gridDimY,"
            + " unsigned int gridDimZ, unsigned int blockDimX, unsigned int blockDimY, unsigned int blockDimZ,"
            + " unsigned int sharedMemBytes, CUstream hStream, void **kernelParams, void **extra)"),
    LAUNCH_KERNEL_EX("CUresult cuLaunchKernelEx(const CUlaunchConfig *config, CUfunction f, void **kernelParams,"
            + " void **extra)", new Version(11, 8)),
    TENSOR_MAP_ENCODE_TILED("CUresult cuTensorMapEncodeTiled(CUtensorMap *tensorMap,"
            + " CUtensorMapDataType tensorDataType, cuuint32_t tensorRank, void *globalAddress,"
            + " const cuuint64_t *globalDim, const cuuint64_t *globalStrides, const cuuint32_t *boxDim,"
            + " const cuuint32_t *elementStrides, CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,"
            + " CUtensorMapL2promotion l2Promotion, CUtensorMapFloatOOBfill oobFill)", new Version(12, 0)),

    MEM_ALLOC("CUresult cuMemAlloc_v2(CUdeviceptr *dptr, size_t bytesize)"),
    MEM_FREE("CUresult cuMemFree_v2(CUdeviceptr dptr)"),
    MEM_HOST_ALLOC("CUresult cuMemHostAlloc(void **pp, size_t bytesize, unsigned int Flags)"),
    MEM_FREE_HOST("CUresult cuMemFreeHost(void *p)"),
    MEM_POOL_CREATE("CUresult cuMemPoolCreate(CUmemoryPool *pool, const CUmemPoolProps *poolProps)"),
    MEM_POOL_SET_ATTRIBUTE("CUresult cuMemPoolSetAttribute(CUmemoryPool pool, CUmemPool_attribute attr,"
            + " void *value)"),
    MEM_POOL_DESTROY("CUresult cuMemPoolDestroy(CUmemoryPool pool)"),
    MEM_ALLOC_FROM_POOL("CUresult cuMemAllocFromPoolAsync(CUdeviceptr *dptr, size_t bytesize, CUmemoryPool pool,"
            + " CUstream hStream)"),
    MEM_FREE_ASYNC("CUresult cuMemFreeAsync(CUdeviceptr dptr, CUstream hStream)"),
    MEMCPY_ASYNC("CUresult cuMemcpyAsync(CUdeviceptr dst, CUdeviceptr src, size_t ByteCount, CUstream hStream)"),
    MEMSET_D8_ASYNC("CUresult cuMemsetD8Async(CUdeviceptr dstDevice, unsigned char uc, size_t N, CUstream hStream)"),
    IPC_GET_MEM_HANDLE("CUresult cuIpcGetMemHandle(CUipcMemHandle *pHandle, CUdeviceptr dptr)"),
    IPC_OPEN_MEM_HANDLE("CUresult cuIpcOpenMemHandle_v2(CUdeviceptr *pdptr, CUipcMemHandle handle,"
            + " unsigned int Flags)"),
    IPC_CLOSE_MEM_HANDLE("CUresult cuIpcCloseMemHandle(CUdeviceptr dptr)"),

    STREAM_CREATE("CUresult cuStreamCreate(CUstream *phStream, unsigned int Flags)"),
    STREAM_DESTROY("CUresult cuStreamDestroy_v2(CUstream hStream)"),
    STREAM_SYNCHRONIZE("CUresult cuStreamSynchronize(CUstream hStream)"),
    STREAM_WAIT_EVENT("CUresult cuStreamWaitEvent(CUstream hStream, CUevent hEvent, unsigned int Flags)"),
    STREAM_BEGIN_CAPTURE("CUresult cuStreamBeginCapture_v2(CUstream hStream, CUstreamCaptureMode mode)"),
    STREAM_END_CAPTURE("CUresult cuStreamEndCapture(CUstream hStream, CUgraph *phGraph)"),
    EVENT_CREATE("CUresult cuEventCreate(CUevent *phEvent, unsigned int Flags)"),
    EVENT_DESTROY("CUresult cuEventDestroy_v2(CUevent hEvent)"),
    EVENT_RECORD("CUresult cuEventRecord(CUevent hEvent, CUstream hStream)"),
    EVENT_QUERY("CUresult cuEventQuery(CUevent hEvent)"),
    EVENT_SYNCHRONIZE("CUresult cuEventSynchronize(CUevent hEvent)"),
    EVENT_ELAPSED_TIME("CUresult cuEventElapsedTime(float *pMilliseconds, CUevent hStart, CUevent hEnd)"),
    GRAPH_INSTANTIATE("CUresult cuGraphInstantiateWithFlags(CUgraphExec *phGraphExec, CUgraph hGraph,"
            + " unsigned long long flags)"),
    GRAPH_LAUNCH("CUresult cuGraphLaunch(CUgraphExec hGraphExec, CUstream hStream)"),
    GRAPH_EXEC_DESTROY("CUresult cuGraphExecDestroy(CUgraphExec hGraphExec)"),
    GRAPH_DESTROY("CUresult cuGraphDestroy(CUgraph hGraph)");
    // spotless:on

    /// The oldest driver that has all functions that are not optional.
    static final Version OLDEST = new Version(11, 4);

    private record Operand(String name, boolean isNumber) {}

    private final String signature;
    private final String symbol;
    private final List<Operand> operands;
    private final Version since;

    DriverFunction(String signature) {
        this(signature, new Version(11, 4));
    }

    DriverFunction(String signature, Version since) {
        this.signature = signature;
        this.since = since;
        int open = signature.indexOf('(');
        symbol = signature.substring(signature.indexOf(' ') + 1, open);
        operands = operands(signature.substring(open + 1, signature.length() - 1));
    }

    private static List<Operand> operands(String parameters) {
        List<Operand> operands = new ArrayList<>();
        if (!parameters.equals("void")) {
            for (String parameter : parameters.split(", ", -1)) {
                int space = parameter.lastIndexOf(' ');
                String type = parameter.substring(0, space);
                String name = parameter.substring(space + 1);
                boolean isPointer = name.startsWith("*");
                boolean isNumber = !isPointer && isNumber(type);
                operands.add(new Operand(name.replace("*", ""), isNumber));
            }
        }
        return operands;
    }

    private static boolean isNumber(String type) {
        return type.matches("int|unsigned .*|size_t|cuuint32_t|CUdevice|CUresult|CU.*_attribute|CUtensorMap.+");
    }

    /// @return its declaration in C
    String signature() {
        return signature;
    }

    /// @return its name in the library
    String symbol() {
        return symbol;
    }

    /// @return how many arguments it takes
    int arity() {
        return operands.size();
    }

    /// @return the first version of CUDA whose driver has it, as far as it matters here
    Version since() {
        return since;
    }

    /// @return whether a driver may lack it and be used all the same
    boolean isOptional() {
        return !OLDEST.atLeast(since);
    }

    /// @return a call for people: `cuMemAlloc_v2(dptr=0x7f0012, bytesize=1024)`
    String text(long... words) {
        StringBuilder text = new StringBuilder(symbol).append('(');
        for (int i = 0; i < words.length; i++) {
            Operand operand = operands.get(i);
            text.append(i == 0 ? "" : ", ").append(operand.name).append('=');
            text.append(operand.isNumber ? Long.toString(words[i]) : "0x" + Long.toHexString(words[i]));
        }
        return text.append(')').toString();
    }
}
