package dev.wok.spark;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/// How far a run has come, from the last line of its `metrics.jsonl`.
final class Steps {
    private static final Pattern STEP = Pattern.compile("\"step\"\\s*:\\s*(\\d{1,18})");
    private static final int TAIL = 1 << 16;

    private Steps() {}

    /// @param run its folder
    /// @return the last step that was noted; -1 where there is none
    static long last(Path run) {
        try (FileChannel file = FileChannel.open(run.resolve("metrics.jsonl"))) {
            ByteBuffer tail = ByteBuffer.allocate((int) Math.min(TAIL, file.size()));
            file.read(tail, file.size() - tail.capacity());
            Matcher steps = STEP.matcher(StandardCharsets.UTF_8.decode(tail.flip()));
            long last = -1;
            while (steps.find()) {
                last = Long.parseLong(steps.group(1));
            }
            return last;
        } catch (IOException e) {
            return -1;
        }
    }
}
