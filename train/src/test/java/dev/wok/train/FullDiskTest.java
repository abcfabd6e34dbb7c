package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import dev.wok.notice.DiskFull;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A disk that is full names itself, and nothing is lost.
class FullDiskTest {
    @TempDir
    Path folder;

    @TempDir
    Path text;

    @Test
    void aCheckpointThatFindsNoRoomLeavesNothing() throws IOException {
        Checkpoint.State state = new Checkpoint.State(3, 0, 0, 0, "", Logs.Lengths.EMPTY);
        Path before = Checkpoint.write(
                        folder,
                        state,
                        file -> Durable.write(file, new byte[1]),
                        part -> Files.createFile(part.resolve("a")))
                .folder();
        Checkpoint.State later = new Checkpoint.State(4, 0, 0, 0, "", Logs.Lengths.EMPTY);
        DiskFull full = assertThrows(
                DiskFull.class,
                () -> Checkpoint.write(folder, later, _ -> {}, part -> {
                    Files.createFile(part.resolve("a"));
                    throw new IOException("No space left on device");
                }));
        assertTrue(String.valueOf(full.getMessage()).contains("step-00000004 was not written"), full.getMessage());
        assertEquals(List.of(before), list(folder));
        assertEquals(
                3,
                Checkpoint.newest(folder, Progress.silent())
                        .orElseThrow()
                        .state()
                        .step());
    }

    /// On a file system of its own, which becomes full while a checkpoint is written, and is given room then.
    @Test
    @Tag("slow")
    void aRunGoesOnOnceThereIsRoom() throws IOException, InterruptedException {
        assumeTrue(mount("size=500k"), "only root mounts");
        try {
            Path corpus = TinyRun.corpus(text);
            Path out = folder.resolve("run");
            Map<String, String> changes = Map.of("gradient_parts", "2");
            try (Trainer trainer = TinyRun.start(out, corpus, changes)) {
                DiskFull full = assertThrows(DiskFull.class, () -> trainer.run(Ranks.threads(2)));
                assertTrue(String.valueOf(full.getMessage()).contains("step-00000008"), full.getMessage());
            }
            assertEquals(List.of(out.resolve("checkpoints/step-00000004")), list(out.resolve("checkpoints")));
            assertTrue(mount("remount,size=10m"));
            try (Trainer trainer = TinyRun.resume(out, Map.of())) {
                assertTrue(trainer.run(Ranks.threads(2)).finished());
            }
            Path whole = folder.resolve("whole");
            try (Trainer trainer = TinyRun.start(whole, corpus, changes)) {
                assertTrue(trainer.run().finished());
            }
            TrainerTest.assertSameRun(whole, out);
        } finally {
            assertEquals(
                    0, new ProcessBuilder("umount", folder.toString()).start().waitFor());
        }
    }

    private boolean mount(String options) throws IOException, InterruptedException {
        return new ProcessBuilder("mount", "-t", "tmpfs", "-o", options, "tmpfs", folder.toString())
                        .start()
                        .waitFor()
                == 0;
    }

    private static List<Path> list(Path parent) throws IOException {
        try (Stream<Path> files = Files.list(parent)) {
            return files.toList();
        }
    }
}
