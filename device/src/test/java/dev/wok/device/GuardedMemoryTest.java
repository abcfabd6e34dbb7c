package dev.wok.device;

import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RDI;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.GuardedMemory.Flush;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.X86;
import dev.wok.tensor.Tensor;
import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.net.URISyntaxException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GuardedMemoryTest {
    private static final int BYTES = 5000;

    @TempDir
    Path folder;

    /// A process of its own, which may crash: reads two bytes at an offset into guarded memory by machine code.
    static final class Child {
        public static void main(String... arguments) {
            Flush flush = Flush.valueOf(arguments[0]);
            int offset = Integer.parseInt(arguments[1]);
            X86 x = new X86();
            x.movzx16(RAX, Mem.at(RDI));
            x.ret();
            try (HostDevice device = Device.host(1);
                    GuardedMemory memory = new GuardedMemory()) {
                device.load(x.bytes()).call(memory.allocate(BYTES, flush).address() + offset);
            }
        }
    }

    private record Ended(int status, String output) {}

    private Ended run(Flush flush, int offset) throws IOException, InterruptedException {
        String classes = Stream.of(Child.class, HostDevice.class, X86.class, Tensor.class)
                .map(GuardedMemoryTest::location)
                .collect(Collectors.joining(System.getProperty("path.separator")));
        List<String> command = List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--enable-native-access=ALL-UNNAMED",
                "-Xmx64m",
                "-XX:+UseSerialGC",
                "-XX:-CreateCoredumpOnCrash",
                "-XX:ErrorFile=" + folder.resolve("error.log"),
                "-cp",
                classes,
                Child.class.getName(),
                flush.name(),
                Integer.toString(offset));
        Process process = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .directory(folder.toFile())
                .start();
        try (InputStream output = process.getInputStream()) {
            String text = new String(output.readAllBytes(), StandardCharsets.UTF_8);
            return new Ended(process.waitFor(), text);
        }
    }

    private static String location(Class<?> type) {
        try {
            return Path.of(type.getProtectionDomain()
                            .getCodeSource()
                            .getLocation()
                            .toURI())
                    .toString();
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    private void assertEnds(Flush flush, int offset) throws IOException, InterruptedException {
        Ended ended = run(flush, offset);
        assertEquals(0, ended.status, ended.output);
        assertEquals("", ended.output);
    }

    private void assertCrashes(Flush flush, int offset) throws IOException, InterruptedException {
        Ended ended = run(flush, offset);
        assertNotEquals(0, ended.status);
        assertTrue(ended.output.contains("SIGSEGV") || ended.output.contains("SIGBUS"), ended.output);
    }

    @Test
    void aByteBehindEndsTheProcess() throws IOException, InterruptedException {
        Systems.assumeX86();
        assertEnds(Flush.END, BYTES - 2);
        assertCrashes(Flush.END, BYTES - 1);
    }

    @Test
    void aByteBeforeEndsTheProcess() throws IOException, InterruptedException {
        Systems.assumeX86();
        assertEnds(Flush.START, 0);
        assertCrashes(Flush.START, -1);
    }

    @Test
    void piecesAreZerosBetweenProtectedPages() throws IOException {
        Systems.assumeX86();
        try (GuardedMemory memory = new GuardedMemory()) {
            for (Flush flush : Flush.values()) {
                for (int bytes : new int[] {0, 1, 4095, 4096, 4097, BYTES}) {
                    MemorySegment piece = memory.allocate(bytes, flush);
                    assertEquals(-1, piece.mismatch(MemorySegment.ofArray(new byte[bytes])));
                    long guard = flush == Flush.START ? piece.address() - 1 : piece.address() + bytes;
                    assertEquals("---p", Systems.permissions(guard));
                    if (bytes > 0) {
                        assertEquals("rw-p", Systems.permissions(piece.address()));
                        assertEquals("rw-p", Systems.permissions(piece.address() + bytes - 1));
                    }
                }
            }
        }
    }
}
