package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.GgufType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.GgufConverter;
import dev.wok.testkit.Tensors;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/// The fixtures on a GPU that runs PTX with every check on, against transformers and PyTorch: see [Fixture].
@ExtendWith(ProcessorRunsIt.class)
class EmulatedFixtureTest {
    private static final Fixture.On PTX = new Fixture.On(Backend.PTX, DType.F32, 1);

    /// In the run of every day; the others are slow.
    private static final String FIRST = "qwen2_tiny";

    /* Two ways of summing differ by 1e-6 of the logits. Where that turns a rounding of an operand, of a number in a
     * cache or of a token to 8 bits, one of some hundred numbers of a sum moves by 2^-8; where it turns a choice of
     * experts, a few tokens move by more. So that the median over tokens is looked at.
     */
    private static final double BOUND = 0x1p-9;

    @TempDir
    private Path folder;

    static Stream<Fixture> fixtures() {
        return Fixture.all();
    }

    static Stream<Fixture> first() {
        return Fixture.all().filter(fixture -> fixture.toString().equals(FIRST));
    }

    static Stream<Fixture> others() {
        return Fixture.all().filter(fixture -> !fixture.toString().equals(FIRST));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("first")
    void logitsAndGradients(Fixture fixture) {
        new FixtureTest().logitsAndLosses(fixture, PTX);
        new FixtureTrainingTest().everyGradient(fixture, PTX);
    }

    @Tag("slow")
    @ParameterizedTest(name = "{0}")
    @MethodSource("others")
    void logitsAndGradientsOfOthers(Fixture fixture) {
        logitsAndGradients(fixture);
    }

    @Tag("slow")
    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void layersAndChosenExperts(Fixture fixture) {
        new FixtureTest().layersAndChosenExperts(fixture, PTX);
    }

    @Tag("slow")
    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void greedyContinuations(Fixture fixture) {
        FixtureTest.greedyContinuations(fixture, PTX);
    }

    @Tag("slow")
    @ParameterizedTest(name = "{0}")
    @MethodSource("first")
    void adamwTrajectory(Fixture fixture) {
        new FixtureTrainingTest().adamwTrajectory(fixture, PTX);
    }

    static Stream<Arguments> stored() {
        return Fixture.all()
                .flatMap(fixture -> Storage.byName().keySet().stream()
                        .flatMap(storage -> Arrays.stream(Precision.values())
                                .map(precision -> Arguments.of(fixture, storage, precision))));
    }

    @Tag("slow")
    @ParameterizedTest(name = "{0} {1} {2}")
    @MethodSource("stored")
    void weightsOfFewerBits(Fixture fixture, String storage, Precision precision) {
        requireAlike(
                fixture.folder(),
                Storage.byName().get(storage),
                precision,
                fixture.sequences().getFirst());
    }

    @Tag("slow")
    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void convertedFolders(Fixture fixture) {
        Storage.byName().forEach((name, storage) -> {
            Path target = folder.resolve(name);
            Model.convert(fixture.folder(), target, storage, _ -> {}, Progress.silent());
            requireAlike(target, null, Precision.F32, fixture.sequences().getFirst());
        });
    }

    @Tag("slow")
    @ParameterizedTest(name = "{0}")
    @MethodSource("fixtures")
    void ggufFiles(Fixture fixture) throws IOException {
        for (GgufType type : List.of(GgufType.F16, GgufType.Q8_0, GgufType.Q4_0)) {
            Path file = folder.resolve(type + ".gguf");
            GgufConverter.convert(fixture.folder(), type, true).writer().write(file);
            int[] ids = fixture.sequences().getFirst();
            requireAlike(file, null, Precision.F32, ids);
            requireAlike(file, Storage.float32(), Precision.F32, ids);
        }
    }

    /// One more than is read at once, and one alone.
    @Tag("slow")
    @ParameterizedTest
    @EnumSource
    void textsOfOneTokenAndOfMoreThanAChunk(Precision precision) {
        Fixture fixture = first().findFirst().orElseThrow();
        for (int length : new int[] {1, Model.CHUNK + 1}) {
            int[] ids =
                    IntStream.range(0, length).map(i -> (i * 7 + i * i) % 499).toArray();
            requireAlike(fixture.folder(), Storage.float32(), precision, ids);
        }
    }

    private static void requireAlike(Path source, @Nullable Storage storage, Precision precision, int... ids) {
        Backend fast = Fixture.fastBackends().getLast();
        Tensor right = logits(new Fixture.On(fast, DType.F32, 2, precision), source, storage, ids);
        Tensor here = logits(new Fixture.On(Backend.PTX, DType.F32, 1, precision), source, storage, ids);
        double[] distances = IntStream.range(0, ids.length)
                .mapToDouble(i -> distance(Tensors.values(right.select(0, i)), Tensors.values(here.select(0, i))))
                .sorted()
                .toArray();
        double median = distances[ids.length / 2];
        assertTrue(median < BOUND, "%s in %s: off by %s".formatted(source, storage, median));
    }

    private static Tensor logits(Fixture.On on, Path source, @Nullable Storage storage, int... ids) {
        try (var device = Fixture.device(on)) {
            Kernels kernels = Kernels.on(device.stream(), on.backend(), on.precision());
            try (Model model = storage == null
                    ? Model.open(source, kernels, Progress.silent())
                    : Model.open(source, kernels, storage, Progress.silent())) {
                return model.logits(ids);
            }
        }
    }

    /// The norm of the difference, relative to that of what was expected.
    private static double distance(double[] expected, double... actual) {
        double squares = 0;
        double errors = 0;
        for (int i = 0; i < expected.length; i++) {
            squares += expected[i] * expected[i];
            errors += (expected[i] - actual[i]) * (expected[i] - actual[i]);
        }
        return errors == 0 ? 0 : Math.sqrt(errors / squares);
    }
}
