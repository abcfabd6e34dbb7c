package dev.wok.device.cuda;

import dev.wok.device.CudaException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Calls of a driver whose status is looked at.
record CudaCalls(CudaDriver driver) {
    private static final int MAX_TEXT = 1024;

    /// @throws CudaException where the driver refuses, naming the call and its operands
    /// @throws UnsupportedOperationException where this driver is too old for the function
    void run(DriverFunction function, long... words) {
        int status = status(function, words);
        if (status != 0) {
            throw failure(status, function.text(words));
        }
    }

    /// As [#run], where some statuses are an answer.
    int status(DriverFunction function, long... words) {
        if (!driver.has(function)) {
            throw new UnsupportedOperationException("%s: expected the driver of CUDA %s or newer: install a newer one"
                    .formatted(function.symbol(), function.since()));
        }
        return driver.call(function, words);
    }

    /// Calls a function that writes a word, or less, to where its first argument points.
    ///
    /// @param rest the other arguments
    /// @return that word; in its upper half zeros where less was written
    long out(DriverFunction function, long... rest) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
            long[] words = new long[rest.length + 1];
            words[0] = out.address();
            System.arraycopy(rest, 0, words, 1, rest.length);
            run(function, words);
            return out.get(ValueLayout.JAVA_LONG, 0);
        }
    }

    /// @param call what was called, for people
    CudaException failure(int status, String call) {
        return new CudaException(status, "%s: %s".formatted(text(status), call));
    }

    /// @return a status for people: `CUDA_ERROR_OUT_OF_MEMORY (2), out of memory`
    String text(int status) {
        String name = text(DriverFunction.GET_ERROR_NAME, status);
        String meaning = text(DriverFunction.GET_ERROR_STRING, status);
        return "%s (%d)%s"
                .formatted(name.isEmpty() ? "CUDA error" : name, status, meaning.isEmpty() ? "" : ", " + meaning);
    }

    private String text(DriverFunction function, int status) {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment out = arena.allocate(ValueLayout.JAVA_LONG);
            if (!driver.has(function) || driver.call(function, status, out.address()) != 0) {
                return "";
            }
            long text = out.get(ValueLayout.JAVA_LONG, 0);
            return text == 0
                    ? ""
                    : MemorySegment.ofAddress(text).reinterpret(MAX_TEXT).getString(0);
        }
    }
}
