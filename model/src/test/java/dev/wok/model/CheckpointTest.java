package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Kernels;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.RecordingProgress;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Consumer;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ObjectNode;

/// Folders that are written and read, and those that are refused.
class CheckpointTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final String SINGLE = "model.safetensors";
    private static final String INDEX = "model.safetensors.index.json";

    private final Device device = Device.host(1);
    private final Kernels kernels = Kernels.on(device.stream());
    private final RecordingProgress progress = new RecordingProgress();

    @TempDir
    private Path root;

    private Path folder = Path.of("");

    @BeforeEach
    void below() {
        folder = root.resolve("some").resolve("model");
    }

    @AfterEach
    void close() {
        device.close();
    }

    private static ModelConfig withMtp() {
        return Models.config(6, Models.v3Moe(4, 2, 1), false, 2);
    }

    private static ModelConfig plain() {
        return Models.config(0, Models.v3Moe(1, 1, 1), false, 0);
    }

    private Model saved(ModelConfig config) {
        Model model = Models.uneven(config, kernels, DType.F32, 4);
        model.save(folder);
        return model;
    }

    private Model load() {
        return Model.load(folder, kernels, DType.F32, progress);
    }

    private String refusal() {
        String message = Thrown.message(BadInput.class, () -> load().close());
        assertFalse(message.contains("\n"), message);
        return message;
    }

    private static void compare(Model expected, Model actual) {
        assertEquals(expected.tensors().keySet(), actual.tensors().keySet());
        actual.tensors()
                .forEach((name, tensor) -> Close.assertSame(
                        name, Objects.requireNonNull(expected.tensors().get(name)), tensor));
    }

    private SequencedMap<String, Tensor> tensors(String file) {
        SequencedMap<String, Tensor> copies = new LinkedHashMap<>();
        try (Safetensors stored = Safetensors.open(folder.resolve(file))) {
            stored.names().forEach(name -> copies.put(name, Tensors.copy(stored.tensor(name))));
        }
        return copies;
    }

    private void rewrite(Consumer<SequencedMap<String, Tensor>> change) {
        SequencedMap<String, Tensor> tensors = tensors(SINGLE);
        change.accept(tensors);
        Safetensors.write(folder.resolve(SINGLE), tensors, Map.of("format", "pt"));
    }

    private void configure(Consumer<ObjectNode> change) throws IOException {
        Path file = folder.resolve("config.json");
        ObjectNode config = (ObjectNode) JSON.readTree(Files.readAllBytes(file));
        change.accept(config);
        Files.writeString(file, config.toString());
    }

    private Set<String> files() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(f -> f.getFileName().toString()).collect(Collectors.toCollection(TreeSet::new));
        }
    }

    @Test
    void everyTensorComesBack() throws IOException {
        for (ModelConfig config : List.of(
                withMtp(),
                plain(),
                Models.config(6, null, true, 1),
                Models.config(0, Models.v2Moe(4, 2, 0), true, 0))) {
            try (Model model = saved(config);
                    Model loaded = load()) {
                assertEquals(config, loaded.config());
                compare(model, loaded);
                loaded.save(folder);
                try (Model again = load()) {
                    compare(model, again);
                }
            }
        }
        assertEquals(Set.of("config.json", "generation_config.json", SINGLE, "mtp.safetensors"), Set.copyOf(files()));
        assertTrue(progress.tasks().stream().allMatch(t -> t.isClosed() && t.done() == t.total() && t.done() > 0));
    }

    @Test
    void furtherPredictionLiesApart() throws IOException {
        try (Model model = saved(withMtp())) {
            Set<String> main = tensors(SINGLE).keySet();
            SequencedMap<String, Tensor> further = tensors("mtp.safetensors");
            assertTrue(
                    main.stream().noneMatch(n -> n.startsWith("model.layers.2.") || n.startsWith("model.layers.3.")));
            assertTrue(further.keySet().stream()
                    .allMatch(n -> n.startsWith("model.layers.2.") || n.startsWith("model.layers.3.")));
            Close.assertSame(
                    "head",
                    Objects.requireNonNull(model.tensors().get("lm_head.weight")),
                    Objects.requireNonNull(further.get("model.layers.3.shared_head.head.weight")));
            Close.assertSame(
                    "embedding",
                    Objects.requireNonNull(model.tensors().get("model.embed_tokens.weight")),
                    Objects.requireNonNull(further.get("model.layers.2.embed_tokens.weight")));
            rewrite(all -> all.putAll(further));
            Files.delete(folder.resolve("mtp.safetensors"));
            try (Model loaded = load()) {
                compare(model, loaded);
            }
        }
    }

    @Test
    void withoutFurtherPredictionTheMainModelLoads() throws IOException {
        try (Model model = saved(withMtp())) {
            Files.delete(folder.resolve("mtp.safetensors"));
            try (Model loaded = load()) {
                assertEquals(model.config().withoutMtp(), loaded.config());
                assertEquals(1, progress.lines().size());
                assertTrue(progress.lines().getFirst().contains("2 layers of multi-token prediction"));
                loaded.tensors()
                        .forEach((name, tensor) -> Close.assertSame(
                                name, Objects.requireNonNull(model.tensors().get(name)), tensor));
            }
        }
    }

    @Test
    void shardsLoad() throws IOException {
        try (Model model = saved(plain())) {
            SequencedMap<String, Tensor> all = tensors(SINGLE);
            Files.delete(folder.resolve(SINGLE));
            ObjectNode index = JSON.createObjectNode();
            ObjectNode map = index.putObject("weight_map");
            List<SequencedMap<String, Tensor>> parts = List.of(new LinkedHashMap<>(), new LinkedHashMap<>());
            int n = 0;
            for (Map.Entry<String, Tensor> entry : all.entrySet()) {
                int part = n++ * 2 / all.size();
                parts.get(part).put(entry.getKey(), entry.getValue());
                map.put(entry.getKey(), "part-%d.safetensors".formatted(part));
            }
            Files.writeString(folder.resolve(INDEX), index.toString());
            Safetensors.write(folder.resolve("part-0.safetensors"), parts.get(0), Map.of());
            Safetensors.write(folder.resolve("part-1.safetensors"), parts.get(1), Map.of());
            try (Model loaded = load()) {
                compare(model, loaded);
            }
            Files.delete(folder.resolve("part-1.safetensors"));
            assertEquals("there is no file %s.".formatted(folder.resolve("part-1.safetensors")), refusal());
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"../a.safetensors", "/", "", ".", "..", "a\\u0000.safetensors", "C:\\\\a.safetensors"})
    void shardsLieBesideTheirIndex(String name) throws IOException {
        saved(plain()).close();
        Files.delete(folder.resolve(SINGLE));
        Files.writeString(folder.resolve(INDEX), "{\"weight_map\": {\"a\": \"%s\"}}".formatted(name));
        assertTrue(refusal().endsWith("expected the name of a safetensors file beside it."));
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "[]", "{}", "{", "{\"weight_map\": []}", "{\"weight_map\": {}}", "\u0000"})
    void brokenIndices(String text) throws IOException {
        saved(plain()).close();
        Files.delete(folder.resolve(SINGLE));
        Files.writeString(folder.resolve(INDEX), text);
        assertTrue(refusal().startsWith(folder.resolve(INDEX) + " "));
    }

    @ParameterizedTest
    @EnumSource(names = {"BF16", "F16", "F64"})
    void otherTypesAreConverted(DType stored) {
        try (Model model = saved(plain())) {
            rewrite(all -> all.replaceAll((_, tensor) -> Tensors.as(stored, tensor)));
            try (Model loaded = load()) {
                loaded.tensors().forEach((name, tensor) -> {
                    Tensor expected = Tensors.as(
                            stored, Objects.requireNonNull(model.tensors().get(name)));
                    Close.assertSame(name, Tensors.as(DType.F32, expected), tensor);
                });
            }
        }
    }

    @Test
    void anUnneededCopyOfTheHeadIsAccepted() {
        try (Model model = saved(Models.config(6, null, true, 0))) {
            rewrite(all -> {
                all.put("lm_head.weight", Tensors.copy(Objects.requireNonNull(all.get("model.embed_tokens.weight"))));
                all.put("model.layers.0.self_attn.rotary_emb.inv_freq", Tensors.zeros(DType.F32, 2));
            });
            try (Model loaded = load()) {
                compare(model, loaded);
            }
        }
    }

    /// As transformers demands it.
    @Test
    void sharedExpertsHaveEmptyTensorsWhereThereAreNone() {
        try (Model model = saved(Models.config(6, Models.v3Moe(4, 2, 0), false, 0))) {
            Tensor empty = tensors(SINGLE).get("model.layers.1.mlp.shared_experts.down_proj.weight");
            assertEquals(0, Objects.requireNonNull(empty).elements());
            assertFalse(tensors(SINGLE).containsKey("model.layers.0.mlp.shared_experts.down_proj.weight"));
            try (Model loaded = load()) {
                compare(model, loaded);
            }
        }
    }

    @Test
    void aModelWithoutExpertsIsDenseForTransformersToo() throws IOException {
        saved(Models.config(6, null, false, 0)).close();
        configure(c -> {
            assertEquals(2, c.required("first_k_dense_replace").asInt());
            assertFalse(c.has("n_routed_experts"));
        });
    }

    @Test
    void foldersThatAreNoModels() throws IOException {
        assertEquals("there is no model folder %s.".formatted(folder), refusal());
        Files.createDirectories(folder);
        assertEquals("there is no file %s.".formatted(folder.resolve("config.json")), refusal());
        saved(plain()).close();
        Files.delete(folder.resolve(SINGLE));
        assertEquals("%s holds neither %s nor %s.".formatted(folder, SINGLE, INDEX), refusal());
    }

    @Test
    void wrongTensors() {
        saved(plain()).close();
        String q = "model.layers.0.self_attn.q_proj.weight";
        Tensor right = tensors(SINGLE).get(q);
        rewrite(all -> all.remove(q));
        assertEquals("%s: tensor %s is missing.".formatted(folder, q), refusal());
        rewrite(all -> all.put(q, Tensors.zeros(DType.F32, 12, 16)));
        assertEquals("%s: tensor %s is F32[12, 16], expected [16, 12] by config.json.".formatted(folder, q), refusal());
        rewrite(all -> all.put(q, Tensors.zeros(DType.I32, 16, 12)));
        assertEquals("%s: tensor %s holds I32, expected floating-point numbers.".formatted(folder, q), refusal());
        rewrite(all -> {
            all.put(q, right);
            all.put("model.layers.0.self_attn.q_proj.bias", Tensors.zeros(DType.F32, 16));
        });
        assertEquals(
                "%s: tensor model.layers.0.self_attn.q_proj.bias is not part of a deepseek_v3 model with this config.json."
                        .formatted(folder),
                refusal());
    }

    @Test
    void theSameTensorTwice() {
        saved(withMtp()).close();
        SequencedMap<String, Tensor> twice = tensors("mtp.safetensors");
        twice.put("model.norm.weight", Tensors.zeros(DType.F32, 12));
        Safetensors.write(folder.resolve("mtp.safetensors"), twice, Map.of());
        assertEquals(
                "%s: tensor model.norm.weight is stored twice in the folder."
                        .formatted(folder.resolve("mtp.safetensors")),
                refusal());
    }

    /// Nothing is taken from memory before the sizes are known to be those of the tensors.
    @Test
    void sizesThatTheTensorsDoNotHave() throws IOException {
        saved(plain()).close();
        configure(c -> c.put("vocab_size", 2_000_000_000));
        assertEquals(
                "%s: tensor model.embed_tokens.weight is F32[23, 12], expected [2000000000, 12] by config.json."
                        .formatted(folder),
                refusal());
        configure(c -> c.put("vocab_size", 23).put("num_hidden_layers", 4096).put("n_routed_experts", 65536));
        assertEquals(
                "%s holds 49 tensors, a model with its config.json has at least 805113856.".formatted(folder),
                refusal());
        configure(c -> c.put("num_hidden_layers", 2).put("n_routed_experts", 8).put("num_nextn_predict_layers", 4000));
        try (Model loaded = load()) {
            assertEquals(0, loaded.config().numNextnPredictLayers());
        }
    }

    @Test
    void damagedFiles() throws IOException {
        saved(plain()).close();
        Path file = folder.resolve(SINGLE);
        byte[] intact = Files.readAllBytes(file);
        Rng rng = Seeds.rng("CheckpointTest.damagedFiles");
        for (int i = 0; i < 60; i++) {
            Files.write(file, Arrays.copyOf(intact, rng.below(i, intact.length)));
            String message = refusal();
            assertTrue(message.contains("is no intact safetensors file"), message);
        }
        int refused = 0;
        for (int i = 0; i < 300; i++) {
            byte[] damaged = intact.clone();
            damaged[rng.below(1000 + i, 2500)] = (byte) rng.bits(2000 + i);
            Files.write(file, damaged);
            try (Model loaded = load()) {
                assertEquals(plain(), loaded.config());
            } catch (BadInput e) {
                refused++;
            }
        }
        assertTrue(refused > 200, "refused %d of 300".formatted(refused));
    }

    @Test
    void noiseInTheConfiguration() throws IOException {
        saved(withMtp()).close();
        byte[] config = Files.readAllBytes(folder.resolve("config.json"));
        List<String> values = List.of("-1", "0", "1", "2", "3", "4", "16", "64", "4096", "65536", "2147483647", "null");
        Rng rng = Seeds.rng("CheckpointTest.noiseInTheConfiguration");
        int refused = 0;
        for (int i = 0; i < 300; i++) {
            Rng own = rng.split(i);
            Files.write(folder.resolve("config.json"), config);
            configure(c -> {
                List<String> keys = List.copyOf(c.propertyNames());
                for (int m = 0; m <= own.below(0, 3); m++) {
                    String value = values.get(own.below(20 + m, values.size()));
                    c.set(keys.get(own.below(10 + m, keys.size())), JSON.readTree(value));
                }
            });
            try (Model loaded = load()) {
                assertTrue(loaded.logits(1, 2, 3).elements() > 0);
            } catch (BadInput e) {
                refused++;
            }
        }
        assertTrue(refused > 100 && refused < 290, "refused %d of 300".formatted(refused));
    }

    @Test
    void foldersThatCannotBeWritten() throws IOException {
        try (Model model = Model.create(plain(), kernels, DType.F32, 1)) {
            Path file = Files.createFile(root.resolve("file"));
            for (Path path : List.of(file, file.resolve("model"))) {
                String message = Thrown.message(BadInput.class, () -> model.save(path));
                assertTrue(message.contains(" could not be written: "), message);
            }
            Files.createDirectories(folder.resolve(SINGLE).resolve("in the way"));
            String message = Thrown.message(BadInput.class, () -> model.save(folder));
            assertTrue(message.startsWith(folder.resolve(SINGLE) + " could not be written: "), message);
            assertEquals(Set.of(SINGLE), files());
        }
    }
}
