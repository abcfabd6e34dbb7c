package dev.wok.device;

import dev.wok.device.ffm.NativeCall;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/// Machine code in executable pages (System V calling convention: `rdi`, `rsi`, `rdx`, `rcx`, `r8`,
/// `r9`). The pages are written first and made executable afterwards, never both. Calls do not hold off
/// the garbage collector.
final class NativeProgram implements Program {
    private final MemorySegment pages;
    private final MemorySegment entry;
    private volatile boolean freed;

    private NativeProgram(MemorySegment pages) {
        this.pages = pages;
        entry = pages.asSlice(0, 0);
    }

    static NativeProgram of(byte[] code) {
        MemorySegment pages = Pages.map(code.length);
        MemorySegment.copy(code, 0, pages, ValueLayout.JAVA_BYTE, 0, code.length);
        Pages.protect(pages, Pages.READ_EXECUTE);
        return new NativeProgram(pages);
    }

    @Override
    public void call(long a, long b, long c, long d, long e, long f) {
        requirePages();
        long _ = NativeCall.call(entry, a, b, c, d, e, f);
    }

    private void requirePages() {
        if (freed) {
            throw new IllegalStateException("this program's device is closed");
        }
    }

    void free() {
        freed = true;
        Pages.unmap(pages);
    }
}
