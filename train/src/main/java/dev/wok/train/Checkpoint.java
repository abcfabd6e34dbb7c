package dev.wok.train;

import dev.wok.device.Device;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.SequencedMap;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// A checkpoint on disk: a model folder like any other, with the optimizer's state and the run's place beside it. The
/// folder has its name only once it is complete.
///
/// @param folder where it lies
/// @param state how far the run was
public record Checkpoint(Path folder, State state) {
    private static final String PREFIX = "step-";
    private static final String OPTIMIZER = "optimizer.safetensors";
    private static final String STATE = "state.json";
    private static final String ASIDE = ".damaged";

    /// How far a run was.
    ///
    /// @param step steps done
    /// @param tokens seen
    /// @param elapsedSeconds of training
    /// @param corpus fingerprint of the text that the steps were learned from
    /// @param settings fingerprint of the settings that they were learned with
    /// @param logs lengths of the run's records
    public record State(
            long step, long tokens, double elapsedSeconds, long corpus, String settings, Logs.Lengths logs) {
        private byte[] json(Map<String, String> files) {
            Map<String, Object> values = new LinkedHashMap<>();
            values.put("step", step);
            values.put("tokens", tokens);
            values.put("elapsed_seconds", elapsedSeconds);
            values.put("corpus", Long.toHexString(corpus));
            values.put("settings", settings);
            values.put("metrics_bytes", logs.metrics());
            values.put("evaluations_bytes", logs.evaluations());
            values.put("samples_bytes", logs.samples());
            values.put("files", files);
            return Seal.json(values);
        }

        private static State of(JsonNode root) {
            return new State(
                    whole(root, "step"),
                    whole(root, "tokens"),
                    root.required("elapsed_seconds").asDouble(),
                    Long.parseUnsignedLong(root.required("corpus").asString(), 16),
                    root.required("settings").asString(),
                    new Logs.Lengths(
                            whole(root, "metrics_bytes"),
                            whole(root, "evaluations_bytes"),
                            whole(root, "samples_bytes")));
        }

        private static long whole(JsonNode root, String key) {
            JsonNode node = root.required(key);
            if (!node.isIntegralNumber() || !node.canConvertToLong() || node.asLong() < 0) {
                throw new BadInput("%s is %s, expected a whole number".formatted(key, node));
            }
            return node.asLong();
        }
    }

    /// Writes a checkpoint.
    ///
    /// @param parent where checkpoints lie, made where it is missing
    /// @param optimizer its state by name, on the device
    /// @param filling writes what else belongs into the folder
    /// @throws BadInput where it cannot be written; the checkpoints before it stay
    public static Checkpoint write(
            Path parent, State state, SequencedMap<String, Tensor> optimizer, Device device, Durable.Filling filling) {
        return write(parent, state, file -> writeOptimizer(file, optimizer, device::download), filling);
    }

    /// As above.
    ///
    /// @param optimizer writes its state into a file
    static Checkpoint write(Path parent, State state, Consumer<Path> optimizer, Durable.Filling filling) {
        Path folder = parent.resolve(name(state.step));
        if (Files.exists(folder)) {
            return new Checkpoint(folder, state);
        }
        Durable.folder(folder, part -> {
            filling.write(part);
            optimizer.accept(part.resolve(OPTIMIZER));
            Durable.write(part.resolve(STATE), state.json(Seal.files(part)));
        });
        return new Checkpoint(folder, state);
    }

    /// @param state by name
    /// @param download copies one of its tensors to the host; called in their order
    static void writeOptimizer(Path file, SequencedMap<String, Tensor> state, BiConsumer<Tensor, Tensor> download) {
        Safetensors.write(file, state, DType.F32, download, Map.of());
    }

    /// Gives the optimizer the state that was saved.
    ///
    /// @param optimizer its state by name, on the device
    public void restore(SequencedMap<String, Tensor> optimizer, Device device) {
        restore(optimizer(folder), optimizer, device);
    }

    /// @param folder of a checkpoint
    /// @return the file with the optimizer's state
    static Path optimizer(Path folder) {
        return folder.resolve(OPTIMIZER);
    }

    static void restore(Path file, SequencedMap<String, Tensor> optimizer, Device device) {
        try (Safetensors stored = Safetensors.open(file)) {
            optimizer.forEach((name, here) -> {
                Tensor tensor = stored.tensor(name);
                requireShape(file, name, tensor, here.shape());
                device.upload(tensor, here);
            });
        }
    }

    static void requireShape(Path file, String name, Tensor stored, long[] shape) {
        if (!Arrays.equals(stored.shape(), shape)) {
            throw new BadInput(
                    "%s: %s is %s, the model needs %s.".formatted(file, name, stored, Arrays.toString(shape)));
        }
    }

    /// @return the newest complete checkpoint; what was left half-written is removed
    /// @throws BadInput where it is damaged
    public static Optional<Checkpoint> newest(Path parent, Progress progress) {
        List<Path> complete = complete(parent);
        if (complete.isEmpty()) {
            return Optional.empty();
        }
        Path last = complete.getLast();
        try {
            return Optional.of(read(last, progress));
        } catch (BadInput e) {
            throw new BadInput(
                    "%s; remove %s to resume from the checkpoint before.".formatted(e.getMessage(), last), e);
        }
    }

    /// As [#newest], but newer ones that are damaged are passed over: that is said, and they get another name.
    ///
    /// @throws BadInput where there are checkpoints and none is whole
    static Optional<Checkpoint> newestWhole(Path parent, Progress progress) {
        List<Path> damaged = new ArrayList<>();
        List<String> reasons = new ArrayList<>();
        for (Path folder : complete(parent).reversed()) {
            try {
                Checkpoint whole = read(folder, progress);
                if (!damaged.isEmpty()) {
                    damaged.forEach(Checkpoint::putAside);
                    progress.say("%s; it goes on from the checkpoint of step %d, and what is damaged is named *%s now."
                            .formatted(String.join("; ", reasons), whole.state.step, ASIDE));
                }
                return Optional.of(whole);
            } catch (BadInput e) {
                damaged.add(folder);
                reasons.add(String.valueOf(e.getMessage()));
            }
        }
        if (damaged.isEmpty()) {
            return Optional.empty();
        }
        throw new BadInput("no checkpoint is whole: %s; put one back, or begin anew in another folder."
                .formatted(String.join("; ", reasons)));
    }

    private static void putAside(Path folder) {
        Path aside = folder.resolveSibling(folder.getFileName() + ASIDE);
        try {
            Durable.delete(aside);
            Files.move(folder, aside, StandardCopyOption.ATOMIC_MOVE);
        } catch (IOException e) {
            throw BadInput.writing(aside, e);
        }
    }

    /// The folders by step; what was left half-written is removed.
    private static List<Path> complete(Path parent) {
        if (!Files.isDirectory(parent)) {
            return List.of();
        }
        try {
            removeParts(parent);
            return list(parent);
        } catch (IOException e) {
            throw BadInput.writing(parent, e);
        }
    }

    private static void removeParts(Path parent) throws IOException {
        try (Stream<Path> paths = Files.list(parent)) {
            for (Path part :
                    paths.filter(p -> p.toString().endsWith(Durable.PART)).toList()) {
                Durable.delete(part);
            }
        }
    }

    /// @throws BadInput where it is damaged: its message is to be gone on with
    private static Checkpoint read(Path folder, Progress progress) {
        Path file = folder.resolve(STATE);
        try {
            JsonNode root = Seal.read(file);
            Optional<String> broken = Seal.broken(folder, root.required("files"), progress);
            if (broken.isPresent()) {
                throw new BadInput("%s is not whole: %s is missing or damaged".formatted(folder, broken.get()));
            }
            State state = State.of(root);
            if (!folder.getFileName().toString().equals(name(state.step))) {
                throw new BadInput("%s is the checkpoint of step %d".formatted(folder, state.step));
            }
            return new Checkpoint(folder, state);
        } catch (IOException e) {
            BadInput unread = BadInput.reading(file, e);
            throw new BadInput(String.valueOf(unread.getMessage()).replaceFirst("\\.$", ""), e);
        } catch (JacksonException | NumberFormatException e) {
            throw new BadInput("%s is no state of a run".formatted(file), e);
        }
    }

    private static String name(long step) {
        return "%s%08d".formatted(PREFIX, step);
    }

    /// Removes all but the newest.
    public static void keep(Path parent, int count) {
        try {
            List<Path> complete = list(parent);
            for (Path old : complete.subList(0, Math.max(0, complete.size() - count))) {
                Path gone = Durable.part(old);
                Files.move(old, gone, StandardCopyOption.ATOMIC_MOVE);
                Durable.delete(gone);
            }
        } catch (IOException e) {
            throw BadInput.writing(parent, e);
        }
    }

    /// The folders by step.
    private static List<Path> list(Path parent) throws IOException {
        try (Stream<Path> paths = Files.list(parent)) {
            return paths.filter(p -> p.getFileName().toString().matches(PREFIX + "\\d{8,}"))
                    .sorted(Comparator.comparing(Path::getFileName))
                    .toList();
        }
    }
}
