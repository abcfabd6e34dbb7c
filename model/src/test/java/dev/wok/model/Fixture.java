package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.Gpu;
import dev.wok.device.HostDevice;
import dev.wok.device.Memory;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Processor;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Tensors;
import java.io.IOException;
import java.net.URISyntaxException;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;
import org.junit.jupiter.params.provider.Arguments;
import org.opentest4j.TestAbortedException;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;

/* What transformers and PyTorch compute in float32 from the same weights.
 *
 * Each fixture states how far two equally valid float32 computations of it lie apart (its noise). Ours is a third one,
 * so it may lie on the other side of either: a few times the noise. The factor 8 is that, with room for the longer sums
 * of the vector kernels; a wrong formula misses by thousands.
 */
record Fixture(Path folder, JsonNode expected) {
    static final double TIMES_NOISE = 8;

    private static final ObjectMapper JSON = new ObjectMapper();

    /// Kernels to compute with.
    record On(Backend backend, DType dtype, int threads, Precision precision) {
        On(Backend backend, DType dtype, int threads) {
            this(backend, dtype, threads, Precision.F32);
        }
    }

    /// A loaded model and the device it is on.
    record Loaded(Device device, Model model) implements AutoCloseable {
        /// @return memory of the device that the host reads and writes too
        Memory memory() {
            return device instanceof Gpu gpu ? gpu.pinned() : device.memory();
        }

        /// @return a copy for the host
        Tensor host(Tensor here) {
            Tensor host = Tensors.zeros(here.dtype(), here.shape());
            device.download(here, host);
            return host;
        }

        @Override
        public void close() {
            model.close();
            device.close();
        }
    }

    /// Every folder among the test resources.
    static Stream<Fixture> all() {
        URL url = Objects.requireNonNull(Fixture.class.getResource("/fixtures/deepseek_v3_tiny/config.json"));
        try (Stream<Path> folders = Files.list(
                Objects.requireNonNull(Path.of(url.toURI()).getParent()).getParent())) {
            return folders.sorted().map(Fixture::of).toList().stream();
        } catch (IOException | URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    /// The kernels that people use: those of the Vector API, and machine code where it is written for this processor.
    /// Where the environment names a set of instructions, that one alone.
    static List<Backend> fastBackends() {
        String asked = System.getenv(Processor.VARIABLE);
        try (HostDevice device = Device.host(1)) {
            boolean machineCode = Processor.describe(device).used().isPresent();
            return asked != null
                    ? List.of(machineCode ? Backend.X86 : Backend.VECTOR)
                    : machineCode ? List.of(Backend.VECTOR, Backend.X86) : List.of(Backend.VECTOR);
        } catch (BadInput e) {
            throw new TestAbortedException(e.getMessage(), e);
        }
    }

    /// Every folder on the kernels that people use, with one thread and with two.
    static Stream<Arguments> onFast() {
        return on(fastBackends().stream()
                .flatMap(backend -> Stream.of(new On(backend, DType.F32, 1), new On(backend, DType.F32, 2)))
                .toArray(On[]::new));
    }

    /// Every folder on the kernels that define the operations.
    static Stream<Arguments> onReference(DType dtype) {
        return on(new On(Backend.REFERENCE, dtype, 1));
    }

    private static Stream<Arguments> on(On... on) {
        return all().flatMap(fixture -> Arrays.stream(on).map(o -> Arguments.of(fixture, o)));
    }

    private static Fixture of(Path folder) {
        try {
            return new Fixture(folder, JSON.readTree(Files.readAllBytes(folder.resolve("expected.json"))));
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    static Device device(On on) {
        return on.backend == Backend.PTX ? Device.emulated() : Device.host(on.threads);
    }

    Loaded load(On on) {
        Device device = device(on);
        return new Loaded(
                device,
                Model.load(folder, Kernels.on(device.stream(), on.backend, on.precision), on.dtype, Progress.silent()));
    }

    Safetensors open(String file) {
        return Safetensors.open(folder.resolve(file));
    }

    double noiseOfLogits() {
        return expected.required("noise_logits_max_abs").asDouble();
    }

    JsonNode sequence(int index) {
        return expected.required("seqs").get(index);
    }

    List<int[]> sequences() {
        return StreamSupport.stream(expected.required("seqs").spliterator(), false)
                .map(s -> ints(s.required("ids")))
                .toList();
    }

    static int[] ints(JsonNode array) {
        return IntStream.range(0, array.size()).map(i -> array.get(i).asInt()).toArray();
    }

    @Override
    public String toString() {
        return folder.getFileName().toString();
    }
}
