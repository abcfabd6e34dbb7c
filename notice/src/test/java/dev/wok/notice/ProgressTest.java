package dev.wok.notice;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import jdk.jfr.Recording;
import jdk.jfr.consumer.RecordedEvent;
import jdk.jfr.consumer.RecordingFile;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ProgressTest {
    @TempDir
    Path folder;

    /// A silent task still appears in a flight recording, with what four threads reported.
    @Test
    void silentTasksAreRecorded() throws IOException, InterruptedException {
        Path file = folder.resolve("recording.jfr");
        try (Recording recording = new Recording()) {
            recording.enable(TaskEvent.class);
            recording.start();
            try (Progress.Task task = Progress.silent().start("reading", 4000, "lines")) {
                task.detail("nobody sees this");
                Thread[] threads = new Thread[4];
                for (int i = 0; i < threads.length; i++) {
                    threads[i] = Thread.ofPlatform().start(() -> {
                        for (int n = 0; n < 1000; n++) {
                            task.advance(1);
                        }
                    });
                }
                for (Thread thread : threads) {
                    thread.join();
                }
            }
            Progress.silent().say("nothing");
            recording.stop();
            recording.dump(file);
        }
        List<RecordedEvent> events = RecordingFile.readAllEvents(file).stream()
                .filter(event -> event.getEventType().getName().equals("dev.wok.Task"))
                .toList();
        assertEquals(1, events.size());
        assertEquals("reading", events.getFirst().getString("name"));
        assertEquals("lines", events.getFirst().getString("unit"));
        assertEquals(4000, events.getFirst().getLong("units"));
        assertTrue(events.getFirst().getDuration().toNanos() > 0);
    }
}
