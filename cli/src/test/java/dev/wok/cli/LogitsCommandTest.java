package dev.wok.cli;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.model.ModelConfig;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LogitsCommandTest {
    @TempDir
    static Path folder;

    private static Path model;
    private static long vocabulary;

    @BeforeAll
    static void write() throws IOException {
        model = Tiny.model(folder.resolve("model"));
        vocabulary = ModelConfig.load(model).vocabSize();
    }

    @Test
    void everySequenceGetsItsLogits() throws IOException {
        Path out = folder.resolve("fast.safetensors");
        Captured run = logits("[[1,2,3],[4]]", out);
        assertEquals(0, run.code(), run.err());
        assertEquals("", run.out());
        try (Safetensors file = Safetensors.open(out)) {
            assertEquals(Set.of("logits.0", "logits.1"), file.names());
            assertEquals(DType.F32, file.tensor("logits.0").dtype());
            assertArrayEquals(
                    new long[] {3, vocabulary}, file.tensor("logits.0").shape());
            assertArrayEquals(
                    new long[] {1, vocabulary}, file.tensor("logits.1").shape());
        }
    }

    @Test
    void anEmulatedGpuAgrees() throws IOException {
        Path host = folder.resolve("host.safetensors");
        Path gpu = folder.resolve("gpu.safetensors");
        assertEquals(0, logits("[[5,6]]", host, "--dtype", "f32").code());
        Captured run = logits("[[5,6]]", gpu, "--dtype", "f32", "--device", "emulated");
        assertEquals(0, run.code(), run.err());
        try (Safetensors a = Safetensors.open(host);
                Safetensors b = Safetensors.open(gpu)) {
            float[] expected = a.tensor("logits.0").toFloats();
            float[] found = b.tensor("logits.0").toFloats();
            double norm = distance(expected, new float[expected.length]);
            assertTrue(distance(expected, found) < 1e-5 * norm);
        }
    }

    @Test
    void devicesAndKernelsThatDoNotGoTogether() throws IOException {
        Path out = folder.resolve("refused.safetensors");
        refuse("--device emulatd: expected cpu, cuda, cuda:N or emulated.", out, "--device", "emulatd");
        refuse("the ptx kernels do not run on this device", out, "--backend", "ptx");
        refuse("the x86 kernels do not run on this device", out, "--backend", "x86", "--device", "emulated");
        assertFalse(Files.exists(out));
    }

    private static void refuse(String expected, Path out, String... options) throws IOException {
        Captured run = logits("[[5]]", out, options);
        assertEquals(2, run.code());
        assertEquals(1, run.err().lines().count(), run.err());
        assertTrue(run.err().contains(expected), run.err());
    }

    @Test
    void theReferenceAgrees() throws IOException {
        Path fast = folder.resolve("a.safetensors");
        Path slow = folder.resolve("b.safetensors");
        assertEquals(0, logits("[[5,6,7,8]]", fast).code());
        assertEquals(
                0,
                logits("[[5,6,7,8]]", slow, "--backend", "reference", "--dtype", "f64")
                        .code());
        try (Safetensors a = Safetensors.open(fast);
                Safetensors b = Safetensors.open(slow)) {
            Tensor ours = a.tensor("logits.0");
            Tensor theirs = b.tensor("logits.0");
            double largest = 0;
            double difference = 0;
            for (long i = 0; i < ours.elements(); i++) {
                largest = Math.max(largest, Math.abs(theirs.get(i)));
                difference = Math.max(difference, Math.abs(ours.get(i) - theirs.get(i)));
            }
            assertTrue(largest > 0);
            assertTrue(difference < 1e-4 * largest, difference + " of " + largest);
        }
    }

    /// Both backends round weights and operands alike; sums in another order may turn a later rounding.
    @Test
    void bfloat16IsNearFloat32AndAlikeOnBothBackends() throws IOException {
        float[] exact = values("c.safetensors");
        float[] fast = values("d.safetensors", "--dtype", "bf16");
        float[] slow = values("e.safetensors", "--dtype", "bf16", "--backend", "reference");
        double norm = distance(exact, new float[exact.length]);
        double rounding = distance(exact, fast) / norm;
        assertTrue(rounding > 0x1p-12 && rounding < 0x1p-4, "from float32: " + rounding);
        double between = distance(fast, slow) / norm;
        assertTrue(between < rounding, "between backends: " + between + ", from float32: " + rounding);
    }

    private static double distance(float[] a, float[] b) {
        double squares = 0;
        for (int i = 0; i < a.length; i++) {
            squares += ((double) a[i] - b[i]) * ((double) a[i] - b[i]);
        }
        return Math.sqrt(squares);
    }

    private static float[] values(String name, String... more) throws IOException {
        Path out = folder.resolve(name);
        Captured run = logits("[[5,6,7,8]]", out, more);
        assertEquals(0, run.code(), run.err());
        try (Safetensors file = Safetensors.open(out)) {
            return file.tensor("logits.0").toFloats();
        }
    }

    @Test
    void anIdBeyondTheVocabularyIsRefusedAndNothingIsWritten() throws IOException {
        Path out = folder.resolve("none.safetensors");
        Captured run = logits("[[99999]]", out);
        assertEquals(2, run.code());
        assertTrue(run.err().contains("99999"), run.err());
        assertEquals(1, run.errLines().size());
        assertFalse(Files.exists(out));
    }

    @Test
    void anEmptySequenceIsRefused() throws IOException {
        Captured run = logits("[[1],[]]", folder.resolve("none.safetensors"));
        assertEquals(2, run.code());
        assertTrue(run.err().contains("element 1 is empty"), run.err());
    }

    @Test
    void aTypeThatTheKernelsLackIsRefused() throws IOException {
        Captured run = logits("[[1]]", folder.resolve("none.safetensors"), "--dtype", "f64");
        assertEquals(2, run.code());
        assertEquals("wok: --dtype f64: expected f32, bf16, or f64 with --backend reference.\n", run.err());
    }

    @Test
    void anUnknownBackendIsRefused() throws IOException {
        Captured run = logits("[[1]]", folder.resolve("none.safetensors"), "--backend", "dry");
        assertEquals(2, run.code());
        assertEquals("wok: --backend dry: expected x86, vector, reference or ptx.\n", run.err());
    }

    @Test
    void aMissingFolderIsRefusedBeforeAnythingIsComputed() throws IOException {
        Captured run = logits("[[1]]", folder.resolve("nowhere").resolve("x.safetensors"));
        assertEquals(2, run.code());
        assertTrue(run.err().startsWith("wok: there is no folder "), run.err());
    }

    private static Captured logits(String ids, Path out, String... more) throws IOException {
        Path file = Files.writeString(folder.resolve("ids.json"), ids);
        String[] arguments = new String[more.length + 6];
        String[] first = {"logits", model.toString(), "--ids", file.toString(), "--out", out.toString()};
        System.arraycopy(first, 0, arguments, 0, first.length);
        System.arraycopy(more, 0, arguments, first.length, more.length);
        return Captured.run(arguments);
    }
}
