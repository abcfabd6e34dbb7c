package dev.wok.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/// Safetensors files whose bytes, header, lengths, shapes, types and offsets are damaged.
class SafetensorsFuzzTest {
    private static final int LENGTH_BYTES = 8;
    private static final List<String> WORDS = Stream.concat(
                    Arrays.stream(DType.values()).map(DType::name),
                    Stream.of("dtype", "shape", "data_offsets", "__metadata__", "F8_E5M2", "BOOL", "F4", "f32"))
            .toList();

    /* The shortest value and its comma are two bytes, "0,": a node, its place in a list and what the parser holds of it are
     * some forty on the heap. A key is a string, an entry of a map and one of the set that finds it twice: some two hundred
     * bytes for the six of "a":0, and the map of entries once more. The file itself is mapped.
     */
    private static final long PER_BYTE = 64;
    private static final long MORE = 1 << 18;

    @TempDir
    private Path folder;

    private byte[] intact() throws IOException {
        SequencedMap<String, Tensor> tensors = new LinkedHashMap<>();
        for (DType dtype : DType.values()) {
            tensors.put("model.layers.0." + dtype, Tensors.of(i -> i - 2, dtype, 2, 3));
        }
        tensors.put("empty", Tensors.of(i -> i, DType.F32, 0, 4));
        tensors.put("größe \"x\"", Tensors.of(i -> i, DType.F32, 4));
        Path file = folder.resolve("intact.safetensors");
        Safetensors.write(file, tensors, Map.of("format", "pt"));
        return Files.readAllBytes(file);
    }

    private void damage(int cases) throws IOException, InterruptedException {
        byte[] intact = intact();
        int header = LENGTH_BYTES + intact[0] + 256 * intact[1];
        JsonNode json = new ObjectMapper().readTree(Arrays.copyOfRange(intact, LENGTH_BYTES, header));
        byte[] data = Arrays.copyOfRange(intact, header, intact.length);
        Path file = folder.resolve("damaged.safetensors");
        Fuzz.Outcome outcome = Fuzz.of("safetensors").memory(PER_BYTE, MORE).check(cases, damage -> {
            byte[] bytes = switch (damage.below(4)) {
                case 0 -> damage.bytes(intact);
                case 1 -> Damage.replaced(intact, 0, LENGTH_BYTES, Damage.little(damage.number(), LENGTH_BYTES));
                default -> {
                    byte[] changed = damage.json(json, WORDS);
                    byte[] length = Damage.little(changed.length, LENGTH_BYTES);
                    yield Damage.replaced(Damage.replaced(data, 0, 0, changed), 0, 0, length);
                }
            };
            Files.write(file, bytes);
            return new Fuzz.Input(bytes.length, () -> readAll(file));
        });
        assertEquals(cases, outcome.read() + outcome.refused());
        assertTrue(outcome.refused() > cases / 3 && outcome.read() > cases / 50, outcome.toString());
    }

    private static void readAll(Path file) {
        try (Safetensors read = Safetensors.open(file)) {
            for (String name : read.names()) {
                Tensor tensor = read.tensor(name);
                long sum = 0;
                for (long i = 0; i < tensor.bytes(); i++) {
                    sum += tensor.memory().get(ValueLayout.JAVA_BYTE, i);
                }
                assertTrue(Math.abs(sum) <= 128 * tensor.bytes());
            }
        }
    }

    @Test
    void damagedFilesAreRefusedOrRead() throws IOException, InterruptedException {
        damage(500);
    }

    @Test
    @Tag("slow")
    void damagedFilesAreRefusedOrReadManyTimes() throws IOException, InterruptedException {
        damage(10_000);
    }
}
