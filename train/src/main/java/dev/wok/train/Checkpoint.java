package dev.wok.train;

import dev.wok.device.Device;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.text.Tokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;
import tools.jackson.core.JacksonException;
import tools.jackson.databind.JsonNode;

/// A checkpoint on disk: a model folder like any other, with the optimizer's state and the run's place beside it. The
/// folder has its name only once it is complete.
///
/// @param folder where it lies
/// @param state how far the run was
record Checkpoint(Path folder, State state) {
    private static final String PREFIX = "step-";
    private static final String OPTIMIZER = "optimizer.safetensors";
    private static final String STATE = "state.json";

    /// @param step steps done
    /// @param tokens seen
    /// @param elapsedSeconds of training
    /// @param corpus fingerprint of the text that the steps were learned from
    /// @param logs lengths of the run's records
    record State(long step, long tokens, double elapsedSeconds, long corpus, Logs.Lengths logs) {
        private byte[] json() {
            Map<String, Object> values = new LinkedHashMap<>();
            values.put("step", step);
            values.put("tokens", tokens);
            values.put("elapsed_seconds", elapsedSeconds);
            values.put("corpus", Long.toHexString(corpus));
            values.put("metrics_bytes", logs.metrics());
            values.put("evaluations_bytes", logs.evaluations());
            values.put("samples_bytes", logs.samples());
            return Logs.JSON.writeValueAsBytes(values);
        }

        private static State of(JsonNode root) {
            return new State(
                    whole(root, "step"),
                    whole(root, "tokens"),
                    root.required("elapsed_seconds").asDouble(),
                    Long.parseUnsignedLong(root.required("corpus").asString(), 16),
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

    /// @throws BadInput where it cannot be written; the checkpoints before it stay
    static Checkpoint write(Path parent, State state, Model model, TrainingStep optimizer, Tokenizer tokenizer) {
        Path folder = parent.resolve("%s%08d".formatted(PREFIX, state.step));
        if (Files.exists(folder)) {
            return new Checkpoint(folder, state);
        }
        Path part = Durable.part(folder);
        try {
            Durable.delete(part);
            Files.createDirectories(part);
            model.save(part);
            tokenizer.save(part);
            Device device = model.kernels().stream().device();
            Safetensors.write(part.resolve(OPTIMIZER), optimizer.state(), DType.F32, device::download, Map.of());
            Durable.write(part.resolve(STATE), state.json());
            Durable.publish(part, folder);
        } catch (IOException e) {
            deleteQuietly(part, e);
            throw BadInput.writing(folder, e);
        } catch (RuntimeException e) {
            deleteQuietly(part, e);
            throw e;
        }
        return new Checkpoint(folder, state);
    }

    private static void deleteQuietly(Path part, Exception reason) {
        try {
            Durable.delete(part);
        } catch (IOException e) {
            reason.addSuppressed(e);
        }
    }

    /// Gives the optimizer the state that was saved.
    void restore(TrainingStep optimizer, Device device) {
        Path file = folder.resolve(OPTIMIZER);
        try (Safetensors stored = Safetensors.open(file)) {
            if (!stored.names().equals(optimizer.state().keySet())) {
                throw new BadInput(
                        "%s is not the state of this model's optimizer; remove its folder to resume from the checkpoint before."
                                .formatted(file));
            }
            optimizer.state().forEach((name, here) -> {
                Tensor tensor = stored.tensor(name);
                if (!Arrays.equals(tensor.shape(), here.shape())) {
                    throw new BadInput("%s: %s is %s, the model needs %s.".formatted(file, name, tensor, here));
                }
                device.upload(tensor, here);
            });
        }
    }

    /// @return the newest complete checkpoint; what was left half-written is removed
    static Optional<Checkpoint> newest(Path parent) {
        if (!Files.isDirectory(parent)) {
            return Optional.empty();
        }
        try {
            removeParts(parent);
            List<Path> complete = list(parent);
            return complete.isEmpty() ? Optional.empty() : Optional.of(read(complete.getLast()));
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

    private static Checkpoint read(Path folder) {
        Path file = folder.resolve(STATE);
        try {
            return new Checkpoint(folder, State.of(Logs.JSON.readTree(Files.readAllBytes(file))));
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        } catch (JacksonException | NumberFormatException | BadInput e) {
            throw new BadInput(
                    "%s is no state of a run. Remove its folder to resume from the one before.".formatted(file), e);
        }
    }

    /// Removes all but the newest.
    static void keep(Path parent, int count) {
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
