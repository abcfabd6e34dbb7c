package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// More checkpoints whose parts do not fit each other: see [CheckpointTest].
class BrokenCheckpointTest {
    private static final ModelConfig CONFIG = Models.config(6, Models.v3Moe(4, 2, 1), false, 0);

    @TempDir
    private Path folder;

    private final Device device = Device.host(1);
    private final Kernels kernels = Kernels.on(device.stream(), Backend.VECTOR);

    @BeforeEach
    void save() {
        try (Model model = Model.create(CONFIG, kernels, DType.F32, 5)) {
            model.save(folder);
        }
    }

    @AfterEach
    void close() {
        device.close();
    }

    private void assertRefused(String part) {
        String message = Thrown.message(
                BadInput.class,
                () -> Model.load(folder, kernels, DType.F32, Progress.silent()).close());
        assertFalse(message.contains("\n"), message);
        assertTrue(message.contains(part), message);
    }

    private Path model() {
        return folder.resolve("model.safetensors");
    }

    private void config(String key, String value) throws IOException {
        Path file = folder.resolve("config.json");
        String text = Files.readString(file);
        String changed = text.replaceFirst("\"%s\" : [^,}\n]*".formatted(key), "\"%s\" : %s".formatted(key, value));
        assertFalse(changed.equals(text), key);
        Files.writeString(file, changed);
    }

    @Test
    void moreLayersThanAnnounced() throws IOException {
        config("num_hidden_layers", "1");
        assertRefused("model.layers.1.");
    }

    /// What config.json asks for is compared with what is there before any of it is allocated.
    @Test
    void sizesBeyondAnyMemory() throws IOException {
        String original = Files.readString(folder.resolve("config.json"));
        for (String key : List.of(
                "vocab_size",
                "num_hidden_layers",
                "intermediate_size",
                "moe_intermediate_size",
                "n_routed_experts",
                "n_shared_experts",
                "q_lora_rank",
                "kv_lora_rank",
                "qk_nope_head_dim",
                "v_head_dim")) {
            for (String value : List.of("1000000000", "2147483644")) {
                config(key, value);
                assertRefused("");
                Files.writeString(folder.resolve("config.json"), original);
            }
        }
    }

    @Test
    void anyByteOfTheHeader() throws IOException {
        byte[] whole = Files.readAllBytes(model());
        int header = Math.toIntExact(
                ByteBuffer.wrap(whole).order(ByteOrder.LITTLE_ENDIAN).getLong(0));
        Rng rng = new Rng(11);
        int refused = 0;
        for (int i = 0; i < 300; i++) {
            byte[] changed = whole.clone();
            changed[8 + rng.below(2L * i, header)] = (byte) rng.below(2L * i + 1, 256);
            Files.write(model(), changed);
            try {
                Model.load(folder, kernels, DType.F32, Progress.silent()).close();
            } catch (BadInput e) {
                refused++;
            }
        }
        assertTrue(refused > 250, refused + " of 300 refused");
    }
}
