package dev.wok.kernel.x86;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Processor;
import dev.wok.kernel.host.UserCache;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TunedTest {
    @TempDir
    Path folder;

    private TileFile file(String processor) {
        return new TileFile(folder.resolve("wok"), processor, Isa.AVX512_BF16, 8);
    }

    private static Tilings tilings() {
        return Tilings.of(
                Isa.AVX512_BF16,
                key -> new Tiling(
                        key.size() == Tilings.Size.SMALL ? 5 : 6,
                        4,
                        48 * (1 + key.size().ordinal()),
                        2));
    }

    @Test
    void whatIsWrittenIsRead() throws IOException {
        TileFile file = file("AMD EPYC 9R14 (96-Core)");
        assertEquals(
                "tiles-amd-epyc-9r14-96-core-avx512_bf16-8-v2.properties",
                file.path().getFileName().toString());
        assertEquals(new TileFile.Content.Absent(), file.read());
        file.write(Tilings.usualFor(Isa.AVX512_BF16));
        file.write(tilings());
        assertEquals(new TileFile.Content.Found(tilings()), file.read());
        try (Stream<Path> files = Files.list(file.folder())) {
            assertEquals(List.of(file.path()), files.toList());
        }
    }

    @Test
    void whatIsDamagedIsNotUsed() throws IOException {
        TileFile file = file("P");
        file.write(tilings());
        String text = Files.readString(file.path());
        for (String damaged : List.of(
                "",
                "\\u00",
                "\0\1\2",
                text.replace("f32.small=", "f32.tiny="),
                text.replace("5x4", "9x9"),
                text.replace("5x4", "5x3"),
                text.replace("rows 48", "rows 480"),
                text.replace("tasks 2", "tasks 0"),
                text.replace("isa=avx512_bf16", "isa=avx2"),
                text + "x".repeat(100_000))) {
            Files.writeString(file.path(), damaged);
            assertInstanceOf(TileFile.Content.Unusable.class, file.read(), damaged);
        }
        Files.delete(file.path());
        Files.createDirectory(file.path());
        assertInstanceOf(TileFile.Content.Unusable.class, file.read());
    }

    @Test
    void anotherProcessorsIsNotUsed() throws IOException {
        file("Chip (1)").write(tilings());
        assertEquals(file("Chip (1)").path(), file("Chip [1]").path());
        assertEquals(
                new TileFile.Content.Unusable("is of processor Chip (1), not Chip [1]"),
                file("Chip [1]").read());
    }

    @Test
    void theFolderIsTheUsersCache() {
        assertEquals(Path.of("/c/wok"), UserCache.folder(_ -> "/c", "/h"));
        assertEquals(Path.of("/h/.cache/wok"), UserCache.folder(_ -> null, "/h"));
        assertEquals(Path.of("/h/.cache/wok"), UserCache.folder(_ -> "c", "/h"));
        assertEquals(Path.of("/h/.cache/wok"), UserCache.folder(_ -> "\0", "/h"));
    }

    private static final class Said implements Progress {
        final List<String> tasks = new ArrayList<>();
        final List<String> lines = new ArrayList<>();

        @Override
        public Task start(String name, long total, String unit) {
            tasks.add(name);
            return Progress.silent().start(name, total, unit);
        }

        @Override
        public void say(String line) {
            lines.add(line);
        }
    }

    /// With no time to speak of, so every tiling is tried once.
    @Test
    void itIsSearchedOnceAndThenRead() throws IOException {
        try (HostDevice device = Device.host(1);
                HostDevice other = Device.host(1)) {
            Processor processor = ProcessorX86.describe(device, null);
            assumeTrue(processor.used().isPresent(), processor.reason());
            Said said = new Said();
            Tuned.ensure(device, processor, folder, 1, said);
            Tuned.ensure(other, processor, folder, 1, said);
            assertEquals(List.of("finding the fastest tiles for " + processor.name()), said.tasks);
            assertEquals(List.of(), said.lines);
            Optional<Tilings> found = Tuned.of(device, processor, folder);
            assertTrue(found.isPresent());
            assertEquals(found, Tuned.of(other, processor, folder));
            assertEquals(Optional.empty(), Tuned.of(device, processor, folder.resolve("elsewhere")));

            Path unwritable = Files.createFile(folder.resolve("file")).resolve("wok");
            Tuned.ensure(device, processor, unwritable, 1, said);
            assertEquals(1, said.lines.size());
            assertTrue(said.lines.getFirst().endsWith("could not be written."), said.lines.getFirst());
            assertTrue(Tuned.of(device, processor, unwritable).isPresent());
            assertEquals(Optional.empty(), Tuned.of(other, processor, unwritable));
        }
    }
}
