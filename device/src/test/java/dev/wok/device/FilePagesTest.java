package dev.wok.device;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class FilePagesTest {
    @TempDir
    private Path folder;

    /// A hole in a file is not in memory until somebody looks at it.
    @Test
    void whatWasLookedAtIsInMemory() throws IOException {
        Path file = folder.resolve("file");
        long bytes = 64 << 20;
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            channel.write(java.nio.ByteBuffer.wrap(new byte[] {1}), bytes - 1);
        }
        try (Arena arena = Arena.ofConfined();
                FileChannel channel = FileChannel.open(file)) {
            MemorySegment map = channel.map(FileChannel.MapMode.READ_ONLY, 0, bytes, arena);
            MemorySegment middle = map.asSlice(30 << 20, 5001);
            if (FilePages.known()) {
                assertTrue(FilePages.resident(map) < bytes);
            }
            FilePages.enlarge(map);
            FilePages.fetch(middle);
            long sum = 0;
            for (long i = 0; i < middle.byteSize(); i++) {
                sum += middle.get(ValueLayout.JAVA_BYTE, i);
            }
            assertEquals(0, sum);
            assertEquals(5001, FilePages.resident(middle));
            assertEquals(0, FilePages.resident(map.asSlice(7, 0)));
        }
        Files.delete(file);
    }
}
