package dev.wok.kernel.x86;

import dev.wok.tensor.DType;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;

/// An operand as machine code sees it: where its first element lies, after a check that all its elements lie in native
/// memory that is there. Machine code checks nothing, so no kernel takes an address from elsewhere.
///
/* The memory must outlive the call: a tensor may own it and be collected once nobody looks at it any more, hence [#keep]
 * behind the last call.
 */
record Span(Tensor tensor, long address) {
    private static final int LINE = 64;

    /// Half of a large last-level cache.
    private static final long LARGE = 1 << 24;

    /// @param op who asks, for messages
    /// @throws IllegalArgumentException where it holds something else than F32, or machine code cannot reach it
    static Span read(String op, Tensor tensor) {
        return read(op, tensor, DType.F32);
    }

    static Span read(String op, Tensor tensor, DType dtype) {
        Shape.require(op + " on the x86 backend", tensor, "an operand", dtype);
        MemorySegment memory = tensor.memory();
        long bytes = bytes(tensor);
        if (bytes > 0 && (!memory.isNative() || memory.byteSize() < bytes)) {
            throw new IllegalArgumentException(
                    "%s on the x86 backend: an operand, %s, lies in %d bytes of %s memory, expected %d of native memory"
                            .formatted(op, tensor, memory.byteSize(), memory.isNative() ? "native" : "heap", bytes));
        }
        if (!memory.scope().isAlive()) {
            throw new IllegalStateException("%s: the memory of %s is closed".formatted(op, tensor));
        }
        return new Span(tensor, memory.address());
    }

    /// As [#read(String, Tensor)], for an operand that is written.
    static Span written(String op, Tensor tensor) {
        return written(op, tensor, DType.F32);
    }

    static Span written(String op, Tensor tensor, DType dtype) {
        if (tensor.memory().isReadOnly()) {
            throw new IllegalArgumentException(
                    "%s: an operand, %s, lies in memory that may only be read".formatted(op, tensor));
        }
        return read(op, tensor, dtype);
    }

    /// As [#read(String, Tensor, DType)] for an operand of a product, whose type others have checked; who calls it
    /// keeps the tensor reachable.
    ///
    /// @return where its first element lies
    static long address(Tensor tensor) {
        return read("a product", tensor, tensor.dtype()).address;
    }

    /// From the first element to the end of the last one.
    private static long bytes(Tensor tensor) {
        long last = 0;
        for (int i = 0; i < tensor.rank(); i++) {
            if (tensor.dim(i) == 0) {
                return 0;
            }
            last = Math.addExact(last, Math.multiplyExact(tensor.dim(i) - 1, tensor.stride(i)));
        }
        return Math.multiplyExact(last + 1, tensor.dtype().bytes());
    }

    /// Whether this result is better stored past the caches: it is large, aligned, and not one of the inputs, which are
    /// in the caches already.
    boolean isStream(Span... inputs) {
        boolean aligned = address % LINE == 0;
        for (int i = 0; i < tensor.rank() - 1; i++) {
            aligned &= stride(i) % LINE == 0;
        }
        for (Span input : inputs) {
            aligned &= input.address != address;
        }
        return aligned && tensor.bytes() >= LARGE;
    }

    /// Keeps operands reachable up to here.
    static void keep(Span... spans) {
        for (Span span : spans) {
            Reference.reachabilityFence(span.tensor);
        }
    }

    /// @return where an element of a row lies
    long at(long element) {
        return address + element * tensor.dtype().bytes();
    }

    /// @return where row `i` of the first dimension begins
    long row(long i) {
        return at(i * tensor.stride(0));
    }

    /// @return how many bytes lie between neighbours along a dimension
    long stride(int dimension) {
        return stride(tensor, dimension);
    }

    /// @return how many bytes lie between neighbours along a dimension
    static long stride(Tensor tensor, int dimension) {
        return tensor.stride(dimension) * tensor.dtype().bytes();
    }
}
