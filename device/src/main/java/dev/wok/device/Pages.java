package dev.wok.device;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.util.Locale;

/// Pages of memory with their protection, as the operating system hands them out: Linux and macOS.
final class Pages {
    static final int NONE = 0;
    static final int READ_WRITE = 3;
    static final int READ_EXECUTE = 5;

    /// What protection and guards count in.
    static final long SIZE = 4096;

    private static final long HUGE = 2 << 20;
    private static final boolean MAC =
            System.getProperty("os.name", "").toLowerCase(Locale.ROOT).contains("mac");
    private static final boolean AVAILABLE =
            MAC || System.getProperty("os.name", "").equals("Linux");
    private static final int PRIVATE_ANONYMOUS = MAC ? 0x1002 : 0x22;
    static final int ADVISE_HUGE = 14;

    /// The functions of the C library, looked up once.
    ///
    /// @param mmap `void *mmap(void *, size_t, int, int, int, off_t)`
    /// @param munmap `int munmap(void *, size_t)`
    /// @param mprotect `int mprotect(void *, size_t, int)`
    /// @param madvise `int madvise(void *, size_t, int)`
    /// @param mincore `int mincore(void *, size_t, unsigned char *)`
    private record Functions(
            MethodHandle mmap, MethodHandle munmap, MethodHandle mprotect, MethodHandle madvise, MethodHandle mincore) {
        static final Functions C = of(Linker.nativeLinker());

        private static Functions of(Linker linker) {
            MemoryLayout pointer = ValueLayout.ADDRESS;
            MemoryLayout size = ValueLayout.JAVA_LONG;
            MemoryLayout number = ValueLayout.JAVA_INT;
            return new Functions(
                    function(
                            linker,
                            "mmap",
                            FunctionDescriptor.of(
                                    ValueLayout.JAVA_LONG, size, size, number, number, number, ValueLayout.JAVA_LONG)),
                    function(linker, "munmap", FunctionDescriptor.of(number, pointer, size)),
                    function(linker, "mprotect", FunctionDescriptor.of(number, pointer, size, number)),
                    function(linker, "madvise", FunctionDescriptor.of(number, pointer, size, number)),
                    function(linker, "mincore", FunctionDescriptor.of(number, pointer, size, pointer)));
        }

        private static MethodHandle function(Linker linker, String name, FunctionDescriptor descriptor) {
            return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), descriptor);
        }
    }

    private Pages() {}

    /// @return whether this system has them
    static boolean available() {
        return AVAILABLE;
    }

    static boolean isLinux() {
        return AVAILABLE && !MAC;
    }

    /// Says how pages will be used. A refusal changes nothing but speed.
    static void advise(MemorySegment pages, int advice) {
        try {
            int _ = (int) Functions.C.madvise.invokeExact(pages, pages.byteSize(), advice);
        } catch (Throwable t) {
            throw failed("madvise", t);
        }
    }

    /// @param states gets a byte for each page, whose lowest bit says whether it is in memory
    static void resident(MemorySegment pages, MemorySegment states) {
        check("mincore", () -> (int) Functions.C.mincore.invokeExact(pages, pages.byteSize(), states));
    }

    /// @param bytes rounded up to whole pages
    /// @return fresh zeros, readable and writable, until [#unmap]
    static MemorySegment map(long bytes) {
        long size = Math.addExact(bytes, SIZE - 1) / SIZE * SIZE;
        long address;
        try {
            address = (long) Functions.C.mmap.invokeExact(0L, size, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0L);
        } catch (Throwable t) {
            throw failed("mmap", t);
        }
        if (address == -1) {
            throw new OutOfMemoryError("the system gives no %d bytes of memory (mmap)".formatted(size));
        }
        return MemorySegment.ofAddress(address).reinterpret(size);
    }

    static void unmap(MemorySegment pages) {
        check("munmap", () -> (int) Functions.C.munmap.invokeExact(pages, pages.byteSize()));
    }

    /// @param protection one of the constants here
    static void protect(MemorySegment pages, int protection) {
        check("mprotect", () -> (int) Functions.C.mprotect.invokeExact(pages, pages.byteSize(), protection));
    }

    /// Memory in huge pages where the system has some to give: weights that stream through it are read
    /// faster by tens of per cent.
    ///
    /// @param arena frees it
    /// @return zeros, aligned to a cache line at least
    static MemorySegment huge(Arena arena, long bytes) {
        if (!AVAILABLE || bytes < HUGE) {
            return arena.allocate(Math.max(1, bytes), 64);
        }
        MemorySegment mapped = map(Math.addExact(bytes, HUGE));
        if (!MAC) {
            advise(mapped, ADVISE_HUGE);
        }
        long skip = -mapped.address() & HUGE - 1;
        return MemorySegment.ofAddress(mapped.address() + skip).reinterpret(bytes, arena, _ -> unmap(mapped));
    }

    private interface Call {
        int run() throws Throwable;
    }

    private static void check(String name, Call call) {
        int result;
        try {
            result = call.run();
        } catch (Throwable t) {
            throw failed(name, t);
        }
        if (result != 0) {
            throw new IllegalStateException("the system refused %s".formatted(name));
        }
    }

    private static IllegalStateException failed(String name, Throwable t) {
        return new IllegalStateException("calling %s failed".formatted(name), t);
    }
}
