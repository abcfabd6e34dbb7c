package dev.wok.train;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.channels.FileLock;
import java.nio.channels.OverlappingFileLockException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Where a run keeps what it has, and the lock that keeps others out:
///
/// ```
/// run.json            settings, sources, what was read
/// tokenizer/          tokenizer.json, tokenizer_config.json
/// data/               train.tokens, held_out.tokens, corpus.json
/// metrics.jsonl       a line per step; evaluations.jsonl, samples.jsonl likewise
/// checkpoints/        step-00000100/: a checkpoint folder, the optimizer's state, state.json
/// model/              the finished model
/// result.json         the figures at the end
/// report.html         the run as a page
/// ```
final class RunFolder implements AutoCloseable {
    private final Path root;
    private final FileChannel channel;
    private final FileLock lock;

    private RunFolder(Path root, FileChannel channel, FileLock lock) {
        this.root = root;
        this.channel = channel;
        this.lock = lock;
    }

    /// Makes the folder where it is missing, and locks it.
    ///
    /// @throws BadInput where another run has it or it cannot be written
    static RunFolder open(Path root) {
        Path file = root.resolve("lock");
        FileChannel channel = null;
        try {
            Files.createDirectories(root);
            channel = FileChannel.open(
                    file, StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
            FileLock lock = tryLock(channel);
            if (lock == null) {
                String owner = Files.readString(file, StandardCharsets.UTF_8).strip();
                channel.close();
                throw new BadInput("%s is in use by another run%s; wait for it or choose another --out."
                        .formatted(root, owner.isEmpty() ? "" : " (process " + owner + ")"));
            }
            channel.truncate(0);
            byte[] owner = (ProcessHandle.current().pid() + "\n").getBytes(StandardCharsets.UTF_8);
            Durable.writeFully(channel, ByteBuffer.wrap(owner));
            return new RunFolder(root, channel, lock);
        } catch (IOException e) {
            throw BadInput.writing(root, e);
        }
    }

    private static @Nullable FileLock tryLock(FileChannel channel) throws IOException {
        try {
            return channel.tryLock();
        } catch (OverlappingFileLockException e) {
            return null;
        }
    }

    Path root() {
        return root;
    }

    Path run() {
        return root.resolve("run.json");
    }

    Path tokenizer() {
        return root.resolve("tokenizer");
    }

    Path data() {
        return root.resolve("data");
    }

    Path checkpoints() {
        return root.resolve("checkpoints");
    }

    Path model() {
        return root.resolve("model");
    }

    Path result() {
        return root.resolve("result.json");
    }

    /// Removes what a run wrote that never began; what else lies in the folder stays.
    void discard() {
        try {
            Durable.delete(run());
            Durable.delete(tokenizer());
            Durable.delete(data());
            for (String log : new String[] {"metrics.jsonl", "evaluations.jsonl", "samples.jsonl", "lock"}) {
                Durable.delete(root.resolve(log));
            }
            try (Stream<Path> rest = Files.list(root)) {
                if (rest.findAny().isEmpty()) {
                    Files.delete(root);
                }
            }
        } catch (IOException e) {
            throw BadInput.writing(root, e);
        }
    }

    @Override
    public void close() {
        try (channel) {
            lock.release();
        } catch (IOException e) {
            throw BadInput.writing(root, e);
        }
    }
}
