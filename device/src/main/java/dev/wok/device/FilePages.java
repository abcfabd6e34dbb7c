package dev.wok.device;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// What of a mapped file is in memory. On systems other than Linux nothing is known and nothing is
/// asked for.
public final class FilePages {
    private static final int WILL_NEED = 3;

    private FilePages() {}

    /// @return whether [#resident] says something here
    public static boolean known() {
        return Pages.isLinux();
    }

    /// Asks for large pages: what streams through them is read faster by tens of per cent, where the
    /// file system has some.
    ///
    /// @param part of a mapped file
    public static void enlarge(MemorySegment part) {
        if (known()) {
            Pages.advise(whole(part), Pages.ADVISE_HUGE);
        }
    }

    /// Asks for a part to be read from the disk while the caller goes on.
    ///
    /// @param part of a mapped file
    public static void fetch(MemorySegment part) {
        if (known()) {
            Pages.advise(whole(part), WILL_NEED);
        }
    }

    /// @param part of a mapped file
    /// @return how many of its bytes need not be read from the disk; all of them where nothing is known
    public static long resident(MemorySegment part) {
        if (!known() || part.byteSize() == 0) {
            return part.byteSize();
        }
        MemorySegment pages = whole(part);
        long count = pages.byteSize() / Pages.SIZE;
        long missing = 0;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment states = arena.allocate(count);
            Pages.resident(pages, states);
            for (long i = 0; i < count; i++) {
                missing += 1 - (states.get(ValueLayout.JAVA_BYTE, i) & 1);
            }
        }
        return Math.max(0, part.byteSize() - missing * Pages.SIZE);
    }

    /// @return the pages that a part lies on
    private static MemorySegment whole(MemorySegment part) {
        long begin = part.address() / Pages.SIZE * Pages.SIZE;
        long end = Math.ceilDiv(part.address() + part.byteSize(), Pages.SIZE) * Pages.SIZE;
        return MemorySegment.ofAddress(begin).reinterpret(end - begin);
    }
}
