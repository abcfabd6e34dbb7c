package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.Memory;
import dev.wok.device.Workspace;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.io.TempDir;

/// Multi-token prediction from a cache is what training computes.
@ExtendWith(ProcessorRunsIt.class)
class DraftTest {
    private static final int TOKENS = 150;

    /// As in CacheTest: the absorbed form multiplies in another order.
    private static final double FLOAT32 = 5e-5;

    @TempDir
    private Path folder;

    private static ModelConfig config() {
        return Models.longer(Models.config(6, Models.v3Moe(4, 2, 1), false, 1), 400);
    }

    private static int[] ids() {
        return IntStream.rangeClosed(0, TOKENS).map(i -> i * i % 23).toArray();
    }

    /// @return `[TOKENS, vocab]`: what predicts the token after the next one, without a cache
    private static Tensor expected(Model model) {
        Network network = new Network(
                model.config(),
                model.kernels(),
                model.kernels().stream().device().memory(),
                DType.F64);
        model.tensors()
                .forEach((name, tensor) -> Objects.requireNonNull(
                                network.weights.named().get(name))
                        .copyFrom(tensor));
        network.weights.changed();
        int[] ids = ids();
        try (Memory memory = network.device().memory()) {
            Workspace workspace = Workspace.of(memory, 64L << 20);
            int[] positions = IntStream.range(0, TOKENS).toArray();
            Pass p = network.pass(workspace, positions, new int[TOKENS]);
            Tensor normed = network.infer(p, network.ints(workspace, Arrays.copyOf(ids, TOKENS)), null);
            Tensor next = network.ints(workspace, Arrays.copyOfRange(ids, 1, TOKENS + 1));
            MtpLayer.Saved saved = network.mtp(0)
                    .forward(
                            p,
                            network.weights.mtp.getFirst(),
                            network.weights.embedding,
                            normed,
                            next,
                            network.unwatched(workspace));
            Tensor logits = p.linear(saved.normed(), network.weights.head);
            return Tensors.copy(logits);
        }
    }

    /// Read in pieces beside another text, each followed by its drafts.
    private static List<float[]> drafted(Model model, int piece) {
        int[] ids = ids();
        List<float[]> all = new ArrayList<>();
        try (CachePages cache = model.cachePages(9)) {
            for (int from = 0; from < TOKENS; from += piece) {
                int to = Math.min(TOKENS, from + piece);
                int[] pages = {5, 0, 7};
                int[] others = {1, 2, 3};
                Chunk other = new Chunk(others, from / piece, new int[] {from % 23}, 1);
                model.extend(cache, List.of(other, new Chunk(pages, from, Arrays.copyOfRange(ids, from, to), 0)));
                List<Chunk> following = List.of(
                        new Chunk(others, from / piece, new int[] {3}, 1),
                        new Chunk(pages, from, Arrays.copyOfRange(ids, from + 1, to + 1), to - from));
                List<float[]> logits = model.draft(cache, following, 0, 1);
                assertEquals(to - from + 1, logits.size());
                all.addAll(logits.subList(1, logits.size()));
            }
        }
        return all;
    }

    @Test
    void draftsAreWhatTrainingComputes() {
        try (Device device = Device.host(2);
                Model exact = Models.uneven(config(), Kernels.on(device.stream(), Backend.REFERENCE), DType.F64, 3);
                Model fast = Models.uneven(config(), Kernels.on(device.stream(), Backend.VECTOR), DType.F32, 3)) {
            assertTrue(exact.drafts());
            Tensor expected = expected(exact);
            List<float[]> cached = drafted(exact, 40);
            List<float[]> rounded = drafted(fast, 37);
            for (int t = 0; t < TOKENS; t++) {
                Tensor row = expected.select(0, t);
                Close.assertRelative("token " + t, row, Tensor.of(cached.get(t)), 5e-7);
                Close.assertClose("token " + t, row, Tensor.of(rounded.get(t)), FLOAT32);
            }
        }
    }

    @Test
    void packedDraftsDoNotDependOnPieces() {
        for (Backend backend : Fixture.fastBackends()) {
            Path target = folder.resolve(backend.text());
            try (Device device = Device.host(2)) {
                Kernels kernels = Kernels.on(device.stream(), backend);
                try (Model model = Models.uneven(config(), kernels, DType.F32, 3)) {
                    model.save(target);
                }
                for (Storage storage : List.of(Storage.float32(), Storage.int8())) {
                    Path converted = folder.resolve(backend.text() + storage.matrices());
                    Model.convert(target, converted, storage, _ -> {}, Progress.silent());
                    try (Model packed = Model.open(target, kernels, storage, Progress.silent());
                            Model mapped = Model.open(converted, kernels, storage, Progress.silent())) {
                        List<float[]> once = drafted(packed, TOKENS);
                        List<float[]> pieces = drafted(packed, 7);
                        List<float[]> kept = drafted(mapped, 50);
                        for (int t = 0; t < TOKENS; t++) {
                            assertArrayEquals(once.get(t), pieces.get(t), "token " + t);
                            assertArrayEquals(once.get(t), kept.get(t), "token " + t);
                        }
                    }
                }
            }
        }
    }

    @Test
    void aModelWithoutItSaysSo() {
        try (Device device = Device.host(1);
                Model model =
                        Models.uneven(Models.qwen2(true), Kernels.on(device.stream(), Backend.VECTOR), DType.F32, 3);
                CachePages cache = model.cachePages(1)) {
            assertFalse(model.drafts());
            assertEquals(
                    "this model has no multi-token prediction",
                    Thrown.message(IllegalStateException.class, () -> model.draft(cache, List.of())));
        }
    }
}
