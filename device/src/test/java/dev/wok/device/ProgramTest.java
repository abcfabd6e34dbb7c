package dev.wok.device;

import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.emit.x86.Condition;
import dev.wok.emit.x86.Label;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.Reg;
import dev.wok.emit.x86.X86;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.VarHandle;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class ProgramTest {
    private static final VarHandle WORD = ValueLayout.JAVA_LONG.varHandle();

    private final HostDevice device = Device.host(1);
    private final MemorySegment words = device.scratch(64);
    private final long address = words.address();

    @BeforeEach
    void runsHere() {
        Systems.assumeX86();
    }

    @AfterEach
    void close() {
        device.close();
    }

    private Program load(X86 x) {
        return device.load(x.bytes());
    }

    private long[] words(int count) {
        return words.asSlice(0, count * 8L).toArray(ValueLayout.JAVA_LONG);
    }

    @Test
    void argumentsArriveInOrder() {
        X86 x = new X86();
        Reg[] arguments = {RDI, RSI, RDX, RCX, R8, R9};
        for (int i = 0; i < arguments.length; i++) {
            x.mov(Mem.at(RDI, 8 * i), arguments[i]);
        }
        x.ret();
        Program program = load(x);
        program.call(address);
        assertArrayEquals(new long[] {address, 0, 0}, words(3));
        program.call(address, -2);
        assertArrayEquals(new long[] {address, -2, 0}, words(3));
        program.call(address, 2, Long.MIN_VALUE);
        assertArrayEquals(new long[] {address, 2, Long.MIN_VALUE}, words(3));
        program.call(address, 2, 3, 4);
        assertArrayEquals(new long[] {address, 2, 3, 4, 0, 0}, words(6));
        program.call(address, 2, 3, 4, 5);
        assertArrayEquals(new long[] {address, 2, 3, 4, 5, 0}, words(6));
        program.call(address, 2, 3, 4, 5, Long.MAX_VALUE);
        assertArrayEquals(new long[] {address, 2, 3, 4, 5, Long.MAX_VALUE}, words(6));
    }

    @Test
    void aClosedDeviceRunsNothing() {
        X86 x = new X86();
        x.ret();
        Program program = load(x);
        program.call(0);
        device.close();
        String message = "this program's device is closed";
        assertEquals(message, Thrown.message(IllegalStateException.class, () -> program.call(0)));
        assertEquals(message, Thrown.message(IllegalStateException.class, () -> program.call(0, 0, 0, 0)));
    }

    /// A program writes the address of its own constant: it lies in the program's pages.
    private static X86 whereItIs() {
        X86 x = new X86();
        x.lea(RAX, x.constant(1));
        x.mov(Mem.at(RDI), RAX);
        x.ret();
        return x;
    }

    @Test
    void pagesAreWrittenOrExecutedNeverBoth() throws IOException {
        load(whereItIs()).call(address);
        assertEquals("r-xp", Systems.permissions(words(1)[0]));
        assertEquals("rw-p", Systems.permissions(address));
        assertEquals("rw-p", Systems.permissions(device.scratch(8 << 20).address()));
    }

    @Test
    void codeOfManyPages() {
        X86 x = new X86();
        for (int i = 0; i < 10_000; i++) {
            x.add(RSI, 1);
        }
        x.mov(Mem.at(RDI), RSI);
        x.ret();
        load(x).call(address, 5);
        assertEquals(10_005, words(1)[0]);
    }

    /// The loop runs until it is told to stop, or fails after some seconds because nobody could tell it.
    @Test
    void theGarbageCollectorDoesNotWaitForACall() throws InterruptedException {
        X86 x = new X86();
        Label again = x.label();
        Label stopped = x.label();
        x.mov(RAX, 1);
        x.mov(Mem.at(RDI, 8), RAX);
        x.bind(again);
        x.mov(RAX, Mem.at(RDI));
        x.test(RAX, RAX);
        x.jump(Condition.NOT_EQUAL, stopped);
        x.sub(RSI, 1);
        x.jump(Condition.NOT_EQUAL, again);
        x.bind(stopped);
        x.mov(Mem.at(RDI, 16), RSI);
        x.ret();
        Program program = load(x);
        Thread thread = Thread.ofPlatform().start(() -> program.call(address, 5_000_000_000L));
        while ((long) WORD.getVolatile(words, 8L) == 0) {
            Thread.onSpinWait();
        }
        System.gc();
        WORD.setVolatile(words, 0L, 1L);
        thread.join();
        assertTrue(words(3)[2] > 0, "the collection took as long as the loop");
    }
}
