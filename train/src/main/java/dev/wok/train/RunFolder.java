package dev.wok.train;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.Stream;

/// Where a run keeps what it has, and the lock that keeps others out:
///
/// ```
/// run.json            settings, sources, what was read
/// tokenizer/          tokenizer.json, tokenizer_config.json
/// data/               train.tokens, held_out.tokens, corpus.json
/// metrics.jsonl       a line per step; evaluations.jsonl, samples.jsonl likewise
/// trace.json          a timeline of some steps, where it was asked for
/// checkpoints/        step-00000100/: a checkpoint folder, the optimizer's state, state.json
/// model/              the finished model; adapter/ likewise
/// result.json         the figures at the end
/// report.html         the run as a page
/// ```
public final class RunFolder implements AutoCloseable {
    private static final String RUN = "run.json";
    private static final String LOCK = "lock";
    private static final String MODEL = "model";
    private static final String RESULT = "result.json";
    private static final int MOST_DIGITS = 20;

    /// What a run writes beside its [#RUN].
    private static final List<String> WRITTEN = List.of(
            "tokenizer",
            "data",
            "metrics.jsonl",
            "evaluations.jsonl",
            "samples.jsonl",
            "trace.json",
            "checkpoints",
            MODEL,
            "adapter",
            RESULT,
            "report.html");

    /// The folders that this process has locked. The system's lock belongs to the process and not to the channel, and
    /// closing any channel of the file gives it up: a second one must not even be opened.
    private static final Set<Path> HELD = ConcurrentHashMap.newKeySet();

    private final Path root;
    private final Path real;
    private final List<Path> made;
    private final FileChannel channel;

    private RunFolder(Path root, Path real, List<Path> made, FileChannel channel) {
        this.root = root;
        this.real = real;
        this.made = made;
        this.channel = channel;
    }

    /// Makes the folder where it is missing, and locks it.
    ///
    /// @throws BadInput where another run has it or it cannot be written
    public static RunFolder open(Path root) {
        List<Path> made = missing(root);
        try {
            Files.createDirectories(root);
            Path real = root.toRealPath();
            if (!HELD.add(real)) {
                throw inUse(root, Long.toString(ProcessHandle.current().pid()));
            }
            try {
                return new RunFolder(root, real, made, locked(root));
            } catch (IOException | RuntimeException e) {
                HELD.remove(real);
                throw e;
            }
        } catch (IOException e) {
            try {
                if (!made.isEmpty()) {
                    Durable.delete(root.resolve(LOCK));
                }
                unmake(made);
            } catch (IOException left) {
                e.addSuppressed(left);
            }
            throw BadInput.writing(root, e);
        }
    }

    /// Removes the folders that were made, as far as they are empty.
    private static void unmake(List<Path> made) throws IOException {
        for (Path folder : made) {
            if (Files.exists(folder)) {
                try (Stream<Path> files = Files.list(folder)) {
                    if (files.findAny().isPresent()) {
                        return;
                    }
                }
                Files.delete(folder);
            }
        }
    }

    /// The folders that have to be made, the innermost first.
    private static List<Path> missing(Path root) {
        List<Path> missing = new ArrayList<>();
        for (Path p = root.toAbsolutePath(); p != null && Files.notExists(p); p = p.getParent()) {
            missing.add(p);
        }
        return missing;
    }

    private static FileChannel locked(Path root) throws IOException {
        FileChannel channel = FileChannel.open(
                root.resolve(LOCK), StandardOpenOption.CREATE, StandardOpenOption.READ, StandardOpenOption.WRITE);
        try {
            if (channel.tryLock() == null) {
                ByteBuffer owner = ByteBuffer.allocate(32);
                channel.read(owner, 0);
                throw inUse(root, StandardCharsets.UTF_8.decode(owner.flip()).toString());
            }
            channel.truncate(0);
            Durable.writeFully(
                    channel, ByteBuffer.wrap((ProcessHandle.current().pid() + "\n").getBytes(StandardCharsets.UTF_8)));
            return channel;
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
    }

    private static BadInput inUse(Path root, String owner) {
        return new BadInput("%s is in use by another run%s; wait for it or choose another --out."
                .formatted(root, owner.isBlank() ? "" : " (process " + owner.strip() + ")"));
    }

    /// @return whether a run was begun there
    public static boolean holdsRun(Path root) {
        return Files.exists(root.resolve(RUN));
    }

    /// @return whether the run there is done
    public static boolean isFinished(Path root) {
        return Files.exists(root.resolve(RESULT)) && Files.isDirectory(root.resolve(MODEL));
    }

    /// Makes and locks the folder of a fresh run.
    ///
    /// @throws BadInput where it holds a run, or what a run would overwrite
    public static RunFolder begin(Path root) {
        requireNothingOfOthers(root);
        RunFolder folder = open(root);
        try {
            requireNoRun(root);
            return folder;
        } catch (RuntimeException e) {
            folder.close();
            throw e;
        }
    }

    /// Looks whether a fresh run may have a folder, and makes nothing.
    ///
    /// @throws BadInput where it holds a run, or what a run would overwrite
    public static void requireFree(Path root) {
        requireNothingOfOthers(root);
        requireNoRun(root);
    }

    private static void requireNoRun(Path root) {
        if (holdsRun(root)) {
            throw new BadInput(
                    "%s holds a run already; go on with it with --resume, or choose another --out.".formatted(root));
        }
    }

    /// A run that was killed as it began leaves the part of its description, which the next one writes again.
    ///
    /// @throws BadInput where a folder holds no run, but something under a name that a run would write to
    private static void requireNothingOfOthers(Path root) {
        if (holdsRun(root)) {
            return;
        }
        List<Path> written = new ArrayList<>(WRITTEN.stream().map(root::resolve).toList());
        written.addAll(written.stream().map(Durable::part).toList());
        for (Path path : written) {
            if (Files.exists(path)) {
                throw ofOthers(root, path);
            }
        }
        Path lock = root.resolve(LOCK);
        if (Files.exists(lock) && !isLock(lock)) {
            throw ofOthers(root, lock);
        }
    }

    private static BadInput ofOthers(Path root, Path path) {
        return new BadInput("%s is no run's folder but holds %s, which a run would overwrite; choose another --out."
                .formatted(root, path.getFileName()));
    }

    /// A killed run leaves its lock: empty, or with a process's number.
    private static boolean isLock(Path file) {
        try {
            return Files.isRegularFile(file)
                    && Files.size(file) <= MOST_DIGITS
                    && Files.readString(file, StandardCharsets.ISO_8859_1).matches("\\d*\n?");
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    /// Takes back a run that never began: all that it wrote, and the folders that were made for it. To be called
    /// instead of [#close].
    ///
    /// @param reason remembers what could not be removed
    public void discard(Throwable reason) {
        try {
            discard();
        } catch (IOException | RuntimeException left) {
            reason.addSuppressed(left);
        }
    }

    private void discard() throws IOException {
        for (String name : WRITTEN) {
            Durable.delete(Durable.part(root.resolve(name)));
            Durable.delete(root.resolve(name));
        }
        Durable.delete(Durable.part(run()));
        Durable.delete(run());
        Durable.delete(root.resolve(LOCK));
        close();
        unmake(made);
    }

    /// @return the folder
    public Path root() {
        return root;
    }

    /// @return settings, sources, what was read
    public Path run() {
        return root.resolve(RUN);
    }

    Path tokenizer() {
        return root.resolve("tokenizer");
    }

    /// @return where what was read and prepared lies
    public Path data() {
        return root.resolve("data");
    }

    /// @return where checkpoints lie
    public Path checkpoints() {
        return root.resolve("checkpoints");
    }

    /// @return the finished model
    public Path model() {
        return root.resolve(MODEL);
    }

    /// @return the finished adapter, where a run trains one
    public Path adapter() {
        return root.resolve("adapter");
    }

    /// @return the figures at the end
    public Path result() {
        return root.resolve(RESULT);
    }

    /// @return what each rank did in some steps
    Path trace() {
        return root.resolve("trace.json");
    }

    Path report() {
        return root.resolve("report.html");
    }

    @Override
    public void close() {
        if (!channel.isOpen()) {
            return;
        }
        try {
            channel.close();
        } catch (IOException e) {
            throw BadInput.writing(root, e);
        } finally {
            HELD.remove(real);
        }
    }
}
