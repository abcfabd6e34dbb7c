package dev.wok.device.cuda;

import static dev.wok.device.cuda.Constant.CUDA_ERROR_NO_DEVICE;
import static dev.wok.device.cuda.Constant.CUDA_ERROR_STUB_LIBRARY;
import static dev.wok.device.cuda.Constant.CUDA_ERROR_SYSTEM_DRIVER_MISMATCH;
import static dev.wok.device.cuda.Constant.CU_DEVICE_ATTRIBUTE_CLOCK_RATE;
import static dev.wok.device.cuda.Constant.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR;
import static dev.wok.device.cuda.Constant.CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR;
import static dev.wok.device.cuda.Constant.CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE;
import static dev.wok.device.cuda.Constant.CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN;
import static dev.wok.device.cuda.Constant.CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT;

import dev.wok.device.ComputeCapability;
import dev.wok.device.CudaException;
import dev.wok.device.GpuFacts;
import dev.wok.device.Gpus;
import dev.wok.device.Version;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// A driver, the GPUs that it finds and the memory that they share.
final class Platform {
    private static final int NAME_BYTES = 256;

    private final CudaCalls calls;
    private final Addresses addresses = new Addresses();

    Platform(CudaDriver driver) {
        calls = new CudaCalls(driver);
    }

    /// @return what there is, or the reason why nothing can be used
    Gpus find() {
        Optional<String> lacking = lacking();
        if (lacking.isPresent()) {
            return new Gpus.Absent(lacking.get());
        }
        int status = calls.status(DriverFunction.INIT, 0);
        if (status != 0) {
            return new Gpus.Absent(reason(status));
        }
        try {
            Version driver = version((int) calls.out(DriverFunction.DRIVER_GET_VERSION));
            if (!driver.atLeast(DriverFunction.OLDEST)) {
                return new Gpus.Absent(tooOld("it is of CUDA " + driver));
            }
            List<GpuFacts> gpus = new ArrayList<>();
            int count = (int) calls.out(DriverFunction.DEVICE_GET_COUNT);
            for (int i = 0; i < count; i++) {
                gpus.add(facts(i, driver));
            }
            return gpus.isEmpty() ? new Gpus.Absent(reason(CUDA_ERROR_NO_DEVICE.value)) : new Gpus.Found(gpus);
        } catch (CudaException e) {
            return new Gpus.Absent("the CUDA driver says nothing of its GPUs: %s".formatted(e.getMessage()));
        }
    }

    private Optional<String> lacking() {
        String names = Stream.of(DriverFunction.values())
                .filter(function -> !function.isOptional() && !calls.driver().has(function))
                .map(DriverFunction::symbol)
                .collect(Collectors.joining(", "));
        return names.isEmpty() ? Optional.empty() : Optional.of(tooOld("it has no " + names));
    }

    private static String tooOld(String why) {
        return "the CUDA driver is too old: %s, expected that of CUDA %s or newer: install a newer NVIDIA driver"
                .formatted(why, DriverFunction.OLDEST);
    }

    private String reason(int status) {
        String what;
        if (status == CUDA_ERROR_NO_DEVICE.value) {
            what = "the CUDA driver finds no GPU";
        } else if (status == CUDA_ERROR_SYSTEM_DRIVER_MISMATCH.value) {
            what = "the CUDA library is not that of the running driver: restart the machine, or install them together";
        } else if (status == CUDA_ERROR_STUB_LIBRARY.value) {
            what = "the CUDA library is a stub, which only links programs: install an NVIDIA driver";
        } else {
            what = "the CUDA driver does not start";
        }
        return "%s (%s)".formatted(what, calls.text(status));
    }

    private static Version version(int number) {
        return new Version(number / 1000, number % 1000 / 10);
    }

    private GpuFacts facts(int index, Version driver) {
        int device = (int) calls.out(DriverFunction.DEVICE_GET, index);
        return new GpuFacts(
                index,
                name(device),
                new ComputeCapability(
                        attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, device),
                        attribute(CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR, device)),
                calls.out(DriverFunction.DEVICE_TOTAL_MEM, device),
                attribute(CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT, device),
                attribute(CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN, device),
                attribute(CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE, device),
                attribute(CU_DEVICE_ATTRIBUTE_CLOCK_RATE, device),
                driver,
                PtxVersions.of(driver));
    }

    private int attribute(Constant attribute, int device) {
        return (int) calls.out(DriverFunction.DEVICE_GET_ATTRIBUTE, attribute.value, device);
    }

    private String name(int device) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment name = arena.allocate(NAME_BYTES);
            calls.run(DriverFunction.DEVICE_GET_NAME, name.address(), NAME_BYTES - 1, device);
            return name.getString(0);
        }
    }

    CudaGpu open(GpuFacts facts) {
        return CudaGpu.open(CudaContext.retain(calls, facts.index()), addresses, facts);
    }
}
