package dev.wok.device.cuda;

import dev.wok.device.ffm.NativeCall;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;

/// The driver in its library. It stays loaded until the process ends.
final class NativeDriver implements CudaDriver {
    private static final int SHORT = 6;

    private final Map<DriverFunction, MemorySegment> functions = new EnumMap<>(DriverFunction.class);

    private NativeDriver(SymbolLookup library) {
        for (DriverFunction function : DriverFunction.values()) {
            library.find(function.symbol()).ifPresent(address -> functions.put(function, address));
        }
    }

    /// @return what the driver's library is called on this system
    static String library() {
        boolean isWindows =
                System.getProperty("os.name", "").toLowerCase(Locale.ROOT).startsWith("windows");
        return isWindows ? "nvcuda.dll" : "libcuda.so.1";
    }

    /// @return the driver, or nothing on a machine that has none
    static Optional<CudaDriver> load(String library) {
        try {
            return Optional.of(new NativeDriver(SymbolLookup.libraryLookup(library, Arena.global())));
        } catch (IllegalArgumentException _) {
            return Optional.empty();
        }
    }

    @Override
    public boolean has(DriverFunction function) {
        return functions.containsKey(function);
    }

    @Override
    public int call(DriverFunction function, long... words) {
        MemorySegment code = functions.get(function);
        if (code == null) {
            throw new IllegalArgumentException("the driver has no %s".formatted(function.symbol()));
        }
        if (function == DriverFunction.IPC_OPEN_MEM_HANDLE) {
            MemorySegment handle = MemorySegment.ofAddress(words[1]).reinterpret(NativeCall.STRUCTURE_BYTES);
            return (int) NativeCall.callByValue(code, words[0], handle, words[2]);
        }
        if (words.length > SHORT) {
            return (int) NativeCall.callLong(code, Arrays.copyOf(words, NativeCall.LONG));
        }
        long[] six = words.length == SHORT ? words : Arrays.copyOf(words, SHORT);
        return (int) NativeCall.call(code, six[0], six[1], six[2], six[3], six[4], six[5]);
    }
}
