package dev.wok.device;

import dev.wok.device.ffm.NativeCall;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.ref.Reference;
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

    /// The functions of the C library, looked up where they are there.
    private static final class C {
        /// `void *mmap(void *, size_t, int, int, int, off_t)`
        static final MemorySegment MMAP = NativeCall.find("mmap");

        /// `int munmap(void *, size_t)`
        static final MemorySegment MUNMAP = NativeCall.find("munmap");

        /// `int mprotect(void *, size_t, int)`
        static final MemorySegment MPROTECT = NativeCall.find("mprotect");

        /// `int madvise(void *, size_t, int)`
        static final MemorySegment MADVISE = NativeCall.find("madvise");

        /// `int mincore(void *, size_t, unsigned char *)`
        static final MemorySegment MINCORE = NativeCall.find("mincore");
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
        int _ = on(pages, C.MADVISE, advice);
    }

    /// @param states gets a byte for each page, whose lowest bit says whether it is in memory
    static void resident(MemorySegment pages, MemorySegment states) {
        check("mincore", on(pages, C.MINCORE, states.address()));
        Reference.reachabilityFence(states);
    }

    /// @param bytes rounded up to whole pages
    /// @return fresh zeros, readable and writable, until [#unmap]
    static MemorySegment map(long bytes) {
        long size = Math.addExact(bytes, SIZE - 1) / SIZE * SIZE;
        long address = NativeCall.call(C.MMAP, 0, size, READ_WRITE, PRIVATE_ANONYMOUS, -1, 0);
        if (address == -1) {
            throw new OutOfMemoryError("the system gives no %d bytes of memory (mmap)".formatted(size));
        }
        return MemorySegment.ofAddress(address).reinterpret(size);
    }

    static void unmap(MemorySegment pages) {
        check("munmap", on(pages, C.MUNMAP, 0));
    }

    /// @param protection one of the constants here
    static void protect(MemorySegment pages, int protection) {
        check("mprotect", on(pages, C.MPROTECT, protection));
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

    /// @param function takes the pages' address, their size and a third argument
    private static int on(MemorySegment pages, MemorySegment function, long third) {
        int result = (int) NativeCall.call(function, pages.address(), pages.byteSize(), third, 0, 0, 0);
        Reference.reachabilityFence(pages);
        return result;
    }

    private static void check(String name, int result) {
        if (result != 0) {
            throw new IllegalStateException("the system refused %s".formatted(name));
        }
    }
}
