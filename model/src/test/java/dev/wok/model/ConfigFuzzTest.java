package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Kernels;
import dev.wok.notice.Progress;
import dev.wok.testkit.Damage;
import dev.wok.testkit.Fuzz;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/// Model folders whose config.json, generation_config.json or list of shards is damaged, and whose weights are intact.
class ConfigFuzzTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final List<String> WORDS = List.of(
            "deepseek_v3",
            "deepseek_v2",
            "qwen2",
            "llama",
            "qwen3_moe",
            "yarn",
            "linear",
            "llama3",
            "default",
            "greedy",
            "group_limited_greedy",
            "noaux_tc",
            "softmax",
            "sigmoid",
            "full_attention",
            "sliding_attention",
            "rope_scaling",
            "rope_parameters",
            "quantization_config",
            "weight_block_size",
            "num_nextn_predict_layers",
            "mlp_only_layers",
            "model.safetensors",
            "../model.safetensors",
            "absent.safetensors");

    private static final String WEIGHTS = "model-1.safetensors";
    private static final String INDEX = "model.safetensors.index.json";

    /* An inspection reads the header of the weights, lists what is there and what should be: some thousand bytes of heap
     * for each tensor, of which the header tells with a hundred. A configuration is JSON, where the shortest value is two
     * bytes in the file and some forty on the heap. Reading the weights takes no more than a row at a time.
     */
    private static final long PER_BYTE = 64;
    private static final long MORE = 16 << 20;

    @TempDir
    private Path temporary;

    /// A copy of a fixture, its weights in one shard.
    ///
    /// @param files by name; the one called as no model has it is the other spelling of config.json
    private record Folder(Path path, Map<String, JsonNode> files) {
        static Folder of(Fixture fixture, Path parent) {
            try {
                Path path = Files.createDirectory(parent.resolve(fixture.toString()));
                Files.copy(fixture.folder().resolve("model.safetensors"), path.resolve(WEIGHTS));
                Map<String, JsonNode> files = new TreeMap<>();
                for (String config : List.of("config.json", "config_transformers5.json")) {
                    files.put(
                            config,
                            JSON.readTree(Files.readAllBytes(fixture.folder().resolve(config))));
                }
                files.put("generation_config.json", JSON.readTree("{\"bos_token_id\": 0, \"eos_token_id\": [1, 2]}"));
                files.put(
                        INDEX,
                        JSON.readTree("{\"weight_map\": {\"a\": \"%1$s\", \"b\": \"%1$s\"}}".formatted(WEIGHTS)));
                Folder folder = new Folder(path, files);
                folder.write("", "config_transformers5.json", new byte[0]);
                return folder;
            } catch (IOException e) {
                throw new IllegalStateException(e);
            }
        }

        /// @return what reading the folder may look at, but for the weights' numbers
        long damage(Damage damage) throws IOException {
            String which = damage.oneOf(
                    "config.json",
                    "config.json",
                    "config_transformers5.json",
                    damage.oneOf(List.copyOf(files.keySet())));
            String left = which.equals("config_transformers5.json") ? "config.json" : "config_transformers5.json";
            write(which, left, damage.json(Objects.requireNonNull(files.get(which)), WORDS));
            return size();
        }

        /// @param left the spelling that is not written
        private void write(String damaged, String left, byte[] bytes) throws IOException {
            for (Map.Entry<String, JsonNode> file : files.entrySet()) {
                String name = file.getKey();
                if (!name.equals(left)) {
                    Files.write(
                            path.resolve(name.startsWith("config") ? "config.json" : name),
                            name.equals(damaged) ? bytes : JSON.writeValueAsBytes(file.getValue()));
                }
            }
        }

        private long size() throws IOException {
            long size = 0;
            for (String name : List.of("config.json", "generation_config.json", INDEX)) {
                size += Files.size(path.resolve(name));
            }
            try (FileChannel weights = FileChannel.open(path.resolve(WEIGHTS))) {
                ByteBuffer length = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
                weights.read(length, 0);
                return size + length.getLong(0);
            }
        }
    }

    private void damage(int cases) throws InterruptedException {
        List<Folder> folders =
                Fixture.all().map(fixture -> Folder.of(fixture, temporary)).toList();
        try (Device device = Device.host(1)) {
            Kernels kernels = Kernels.on(device.stream(), Fixture.fastBackends().getLast());
            folders.forEach(folder -> read(folder.path, kernels));
            Fuzz.Outcome outcome = Fuzz.of("config").memory(PER_BYTE, MORE).check(cases, damage -> {
                Folder folder = damage.oneOf(folders);
                return new Fuzz.Input(folder.damage(damage), () -> read(folder.path, kernels));
            });
            assertEquals(cases, outcome.read() + outcome.refused());
            assertTrue(outcome.refused() > cases / 3 && outcome.read() > cases / 50, outcome.toString());
        }
    }

    private static void read(Path folder, Kernels kernels) {
        Inspection inspection = Inspection.of(folder, Progress.silent());
        try (Model model = Model.open(folder, kernels, Progress.silent())) {
            assertEquals(
                    inspection.config().vocabSize(),
                    model.logits(new int[] {0, 0, 0}).size(1));
        }
    }

    @Test
    void damagedConfigurationsAreRefusedOrRead() throws InterruptedException {
        damage(300);
    }

    @Test
    @Tag("slow")
    void damagedConfigurationsAreRefusedOrReadManyTimes() throws InterruptedException {
        damage(10_000);
    }
}
