package dev.wok.model;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.fabric.Exchange.Payload;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Placement;
import dev.wok.fabric.Shape;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Routing;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Function;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// A model that ranks share computes what one rank does, bit for bit.
class ShareTest {
    private static final int LENGTH = 8;
    private static final int SEQUENCES = 6;
    private static final ModelConfig LATENTS = Models.config(6, Models.v3Moe(4, 2, 1), false, 2);

    /// Latents with a sigmoid router, groups of experts and prediction; softmax without a shared
    /// expert and with a tied head; groups of queries and experts in all layers; biases and no
    /// experts.
    private static final List<ModelConfig> CONFIGS = List.of(
            LATENTS, Models.config(0, Models.v2Moe(1, 1, 0), true, 0), Models.qwen3Moe(true), Models.qwen2(true));

    @TempDir
    private Path folder;

    /// What a run leaves.
    ///
    /// @param numbers that all ranks know
    /// @param bits of each part's gradients, and of each expert's
    private record Left(List<String> numbers, Map<String, String> bits) {}

    @Test
    void ranksDoNotMatter() throws IOException {
        Backend fastest = Fixture.fastBackends().getLast();
        for (int i = 0; i < CONFIGS.size(); i++) {
            ranksDoNotMatter(CONFIGS.get(i), fastest, 4, 2, 4);
        }
    }

    /// Three ranks have three experts, three and two, and a batch of three sequences leaves some of
    /// six parts without.
    @Test
    void ranksDoNotMatterWhereTheyShareUnevenly() throws IOException {
        for (Backend backend : List.of(Backend.REFERENCE, Backend.VECTOR)) {
            ranksDoNotMatter(LATENTS, backend, 6, 3);
        }
    }

    /// Sizes at which products are cut in several blocks, on two threads each.
    @Test
    @Tag("slow")
    void ranksDoNotMatterAtLargerSizes() throws IOException {
        ModelConfig small = LATENTS;
        ModelConfig large = new ModelConfig(
                small.family(),
                300,
                96,
                2,
                4,
                new MlaConfig(40, 36, 20, 12, 24),
                200,
                1,
                1,
                List.of(),
                new MoeConfig(8, 1, 2, 72, 4, 2, true, 2.5, Routing.Scoring.SIGMOID, true),
                small.rope(),
                256,
                1e-5,
                0.05,
                false,
                1,
                0,
                List.of(1));
        for (Backend backend : Fixture.fastBackends()) {
            Batch batch = batch(9, 8, 150, 300);
            List<String> expected = run(1, fabric -> step(large, backend, fabric, batch));
            for (int ranks : new int[] {2, 4}) {
                List<String> found = run(ranks, fabric -> step(large, backend, fabric, batch));
                found.forEach(left -> assertEquals(expected.getFirst(), left, ranks + " ranks on " + backend));
            }
        }
    }

    /// @return the losses and the loss after a step
    private static String step(ModelConfig config, Backend backend, Fabric fabric, Batch batch) {
        Training.Settings settings =
                new Training.Settings(batch.sequences(), batch.length(), 0.3, 0.01, false, false, 4);
        try (Device device = Device.host(2);
                Model model = Model.create(config, kernels(device, backend), DType.F32, 5, fabric);
                Training training = model.training(settings)) {
            training.begin(batch.targetCount(), batch.sequences());
            training.accumulate(batch);
            Training.Result result = training.result();
            descend(model, training);
            return "%s %s %s %s %s"
                    .formatted(
                            result.loss(),
                            result.mtpLoss(),
                            result.balanceLoss(),
                            Arrays.deepToString(result.load()),
                            training.evaluate(batch));
        }
    }

    /// Each row is computed by one rank, whose clock runs then.
    @Test
    void allRowsAreSomeonesWork() {
        Backend fastest = Fixture.fastBackends().getLast();
        List<long[]> found = run(2, fabric -> {
            try (Device device = Device.host(1);
                    Model model = Model.create(LATENTS, kernels(device, fastest), DType.F32, 5, fabric);
                    Training training = model.training(settings(2))) {
                training.begin(1, SEQUENCES + 3);
                training.accumulate(List.of(batch(0, SEQUENCES), batch(1, 3)));
                Training.ExpertWork work = training.takeExpertWork();
                assertTrue(work.nanos() > 0);
                assertEquals(new Training.ExpertWork(0, 0), training.takeExpertWork());
                int[][] load = training.result().load();
                return new long[] {
                    work.rows(),
                    Arrays.stream(load).flatMapToInt(Arrays::stream).sum()
                };
            }
        });
        assertEquals(found.getFirst()[1], found.stream().mapToLong(f -> f[0]).sum());
    }

    /// Tokens that travel narrow are rounded on one rank as on several.
    @Test
    void narrowTokens() throws IOException {
        Backend fastest = Fixture.fastBackends().getLast();
        ranksDoNotMatter(LATENTS, fastest, Payload.FP8, Payload.BF16, 2, 2);
        Path exact = folder.resolve("exact");
        run(1, fabric -> train(LATENTS, fastest, fabric, Payload.F32, Payload.F32, 2, exact));
        Path narrow = folder.resolve("narrow");
        run(1, fabric -> train(LATENTS, fastest, fabric, Payload.F32, Payload.BF16, 2, narrow));
        assertTrue(Files.mismatch(exact.resolve("model.safetensors"), narrow.resolve("model.safetensors")) > 0);
    }

    /// Tokens go from GPU to GPU.
    @Test
    void ranksDoNotMatterOnGpus() throws IOException {
        ModelConfig config = Models.config(0, Models.v3Moe(4, 2, 1), false, 0);
        ranksDoNotMatter(config, Backend.PTX, 2, 2);
    }

    private void ranksDoNotMatter(ModelConfig config, Backend backend, int parts, int... sizes) throws IOException {
        ranksDoNotMatter(config, backend, Payload.F32, Payload.F32, parts, sizes);
    }

    private void ranksDoNotMatter(
            ModelConfig config, Backend backend, Payload there, Payload back, int parts, int... sizes)
            throws IOException {
        String what = "%s on %s in %d parts, ranks ".formatted(config.family(), backend, parts);
        Path one = folder.resolve(what + 1);
        List<Left> expected = run(1, fabric -> train(config, backend, fabric, there, back, parts, one));
        for (int ranks : sizes) {
            Path saved = folder.resolve(what + ranks);
            List<Left> found = run(ranks, fabric -> train(config, backend, fabric, there, back, parts, saved));
            assertSame(what + ranks, expected, found);
            assertSameFiles(one, saved);
        }
    }

    private static void assertSame(String what, List<Left> expected, List<Left> found) {
        Map<String, String> bits = new TreeMap<>();
        for (Left left : found) {
            assertEquals(expected.getFirst().numbers, left.numbers, what);
            bits.putAll(left.bits);
        }
        assertEquals(new TreeMap<>(expected.getFirst().bits), bits, what);
    }

    private static String bits(Device device, Tensor tensor) {
        return bits(host(device, tensor));
    }

    private static String bits(Tensor host) {
        float[] values = host.toFloats();
        int hash = 0;
        for (float value : values) {
            hash = 31 * hash + Float.floatToRawIntBits(value);
        }
        return "%d numbers, %08x".formatted(values.length, hash);
    }

    private static Tensor host(Device device, Tensor tensor) {
        Tensor host = Tensor.allocate(Arena.ofAuto(), tensor.dtype(), tensor.shape());
        device.download(tensor, host);
        return host;
    }

    private static void assertSameFiles(Path expected, Path found) throws IOException {
        try (Stream<Path> files = Files.list(expected)) {
            for (Path file : files.toList()) {
                assertEquals(-1, Files.mismatch(file, found.resolve(file.getFileName())), file.toString());
            }
        }
    }

    /// Three steps of plain descent: the second and third see what the first one moved. In them two
    /// micro-batches take turns, where ranks share the model: on four ranks two go forward and back
    /// together, on two and three one goes forward while another goes backward, and the first one's
    /// memory is the last one's.
    private static Left train(
            ModelConfig config, Backend backend, Fabric fabric, Payload there, Payload back, int parts, Path folder) {
        try (Device device = device(backend);
                Model model = Model.create(
                        config,
                        kernels(device, backend),
                        DType.F32,
                        5,
                        Sharing.among(fabric).withPayloads(there, back).withParts(backend == Backend.PTX ? 1 : parts));
                Training training = model.training(settings(parts, fabric.size() == 4 ? 2 : 3))) {
            List<String> numbers = new ArrayList<>();
            Map<String, String> bits = new TreeMap<>();
            double last = Double.POSITIVE_INFINITY;
            for (int step = 0; step < (backend == Backend.PTX ? 2 : 3); step++) {
                List<Batch> batches = List.of(batch(0, SEQUENCES), batch(1, 3), batch(2, 1), batch(3, 2));
                training.begin(batches.stream().mapToLong(Batch::targetCount).sum(), SEQUENCES + 6);
                if (step == 0) {
                    batches.forEach(training::accumulate);
                } else {
                    accumulate(device, training, batches);
                }
                Training.Result result = training.result();
                numbers.add("%s %s %s".formatted(result.loss(), result.mtpLoss(), result.balanceLoss()));
                numbers.add(Arrays.deepToString(result.load()));
                assertTrue(result.loss() < last, "loss " + result.loss());
                last = result.loss();
                gradients("step %d ".formatted(step), model, training, bits);
                descend(model, training);
                training.moveBiases(0.125);
                numbers.add(training.evaluate(batch(7, 5)) + " " + training.evaluate(batch(8, 1)));
            }
            model.tensors().forEach((name, tensor) -> {
                if (Weights.isCorrection(name)) {
                    numbers.add(name + bits(device, tensor));
                }
            });
            if (fabric.rank() == 0) {
                model.save(folder);
            } else {
                model.giveTensors();
            }
            return new Left(numbers, bits);
        }
    }

    /// What is said to be done stays as it is, and is everything.
    private static void accumulate(Device device, Training training, List<Batch> batches) {
        List<Tensor> parts = training.flatParts();
        Map<Long, List<String>> bits = new TreeMap<>();
        long[] next = {parts.getFirst().elements()};
        training.accumulate(batches, (from, to) -> {
            assertEquals(next[0], to);
            next[0] = from;
            bits.put(
                    to,
                    parts.stream()
                            .map(part -> bits(device, part.slice(0, from, to)))
                            .toList());
        });
        assertEquals(0, next[0]);
        Long to = parts.getFirst().elements();
        for (Long end : bits.keySet().stream().sorted(Comparator.reverseOrder()).toList()) {
            assertEquals(to, end);
            long begin = bits.keySet().stream()
                    .mapToLong(e -> e)
                    .filter(e -> e < end)
                    .max()
                    .orElse(0);
            assertEquals(
                    bits.get(end),
                    parts.stream()
                            .map(part -> bits(device, part.slice(0, begin, end)))
                            .toList());
            to = begin;
        }
    }

    private static void gradients(String step, Model model, Training training, Map<String, String> bits) {
        Fabric fabric = model.fabric();
        Device device = model.kernels().stream().device();
        List<Tensor> parts = training.flatParts();
        for (int part = 0; part < parts.size(); part++) {
            bits.put(step + "part " + (fabric.rank() * parts.size() + part), bits(device, parts.get(part)));
        }
        MoeConfig moe = model.config().moe();
        for (int i = 0; moe != null && i < training.expertGradients().size(); i++) {
            int[] own = Placement.even(moe.nRoutedExperts(), fabric.size()).slots()[fabric.rank()];
            for (int e = 0; e < own.length; e++) {
                bits.put(
                        step + model.expertParameters().get(i).name() + own[e],
                        bits(device, training.expertGradients().get(i).select(0, e)));
            }
        }
    }

    /// Every rank moves what it has alike by the parts' sum, in order, and its experts by their
    /// gradients.
    private static void descend(Model model, Training training) {
        Device device = model.kernels().stream().device();
        Tensor flat = model.flat().values();
        float[] values = host(device, flat).toFloats();
        int length = values.length;
        List<MemorySegment> parts = training.flatParts().stream()
                .map(part -> host(device, part).memory())
                .toList();
        long[] bounds = new long[model.fabric().size() + 1];
        Arrays.setAll(bounds, rank -> (long) rank * length / model.fabric().size());
        try (Arena arena = Arena.ofShared()) {
            Tensor all = Tensor.allocate(arena, DType.F32, length);
            int rank = model.fabric().rank();
            MemorySegment own =
                    all.memory().asSlice(bounds[rank] * Float.BYTES, (bounds[rank + 1] - bounds[rank]) * Float.BYTES);
            model.fabric().reduceScatter(parts, bounds, own);
            model.fabric()
                    .allGather(
                            all.memory(),
                            Arrays.stream(bounds).map(b -> b * Float.BYTES).toArray());
            for (int i = 0; i < length; i++) {
                values[i] -= (float) (0.5 * all.get(i));
            }
        }
        device.upload(Tensor.of(values), flat);
        List<Parameter> experts = model.expertParameters();
        for (int i = 0; i < experts.size(); i++) {
            Tensor value = host(device, experts.get(i).value());
            Tensor gradient = host(device, training.expertGradients().get(i));
            for (long j = 0; j < value.elements(); j++) {
                value.set(j, value.get(j) - 0.5 * gradient.get(j));
            }
            device.upload(value, experts.get(i).value());
        }
        model.weightsChanged();
    }

    private static Device device(Backend backend) {
        return backend == Backend.PTX ? Device.emulated() : Device.host(1);
    }

    private static Kernels kernels(Device device, Backend backend) {
        return Kernels.on(device.stream(), backend, Kernels.usual(device, backend));
    }

    private static Training.Settings settings(int parts) {
        return settings(parts, 2);
    }

    private static Training.Settings settings(int parts, int atOnce) {
        return new Training.Settings(SEQUENCES, LENGTH, 0.3, 0.01, false, false, parts, atOnce);
    }

    /// Sequences of one or two documents.
    private static Batch batch(int number, int sequences) {
        return batch(number, sequences, LENGTH, 23);
    }

    private static Batch batch(int number, int sequences, int length, int vocabulary) {
        Rng rng = new Rng(number);
        int count = sequences * length;
        int[] keyStart = IntStream.range(0, count)
                .map(i -> i - i % length + (i / length % 2 == 0 && i % length >= 3 ? 3 : 0))
                .toArray();
        int[] tokens =
                IntStream.range(0, count).map(i -> rng.below(i, vocabulary)).toArray();
        return new Batch(
                sequences,
                length,
                tokens,
                IntStream.range(0, count)
                        .map(i -> i % length == length - 1 ? -1 : tokens[i + 1])
                        .toArray(),
                IntStream.range(0, count).map(i -> i - keyStart[i]).toArray(),
                keyStart);
    }

    /// Sums of parts are what one sum is, but for how they round; experts have no parts.
    @Test
    void partsAddUp() {
        for (ModelConfig config : CONFIGS) {
            try (Device device = Device.host(1);
                    Fabric fabric = Fabric.alone();
                    Model model = Model.create(config, kernels(device, Backend.REFERENCE), DType.F64, 5, fabric);
                    Training whole = model.training(settings(1));
                    Training parts = model.training(settings(4))) {
                Batch batch = batch(0, SEQUENCES);
                for (Training training : List.of(whole, parts)) {
                    training.begin(batch.targetCount(), SEQUENCES);
                    training.accumulate(batch);
                }
                assertEquals(whole.result().loss(), parts.result().loss(), 1e-14);
                assertEquals(whole.result().balanceLoss(), parts.result().balanceLoss(), 1e-15);
                assertEquals(4, parts.flatParts().size());
                double[] sums = new double[Math.toIntExact(model.flat().values().dim(0))];
                for (Tensor part : parts.flatParts()) {
                    Arrays.setAll(sums, i -> sums[i] + part.get(i));
                }
                Tensor sum = Tensors.of(i -> sums[(int) i], DType.F64, sums.length);
                Close.assertClose(config.family().toString(), whole.flatParts().getFirst(), sum, 1e-14);
                for (int i = 0; i < model.expertParameters().size(); i++) {
                    Tensor expected = whole.expertGradients().get(i);
                    Close.assertSame(
                            "experts", expected, parts.expertGradients().get(i));
                }
                assertEquals(
                        "gradients in 4 parts are not summed yet",
                        Thrown.message(IllegalStateException.class, parts::gradients));
            }
        }
    }

    /// The first rank reads texts while the others serve it.
    @Test
    void oneRankReads() {
        oneRankReads(Fixture.fastBackends().getLast());
    }

    @Test
    void oneRankReadsOnItsGpu() {
        oneRankReads(Backend.PTX);
    }

    private void oneRankReads(Backend backend) {
        ModelConfig config = Models.config(6, Models.v3Moe(4, 2, 1), false, 1);
        int[] ids = Models.ids(20, 3);
        List<String> expected;
        try (Device device = device(backend);
                Model model = Model.create(config, kernels(device, backend), DType.F32, 5)) {
            model.save(folder);
            expected = read(model, ids);
        }
        List<List<String>> found = run(3, fabric -> {
            try (Device device = device(backend);
                    Model model = Model.load(folder, kernels(device, backend), DType.F32, fabric, Progress.silent())) {
                if (fabric.rank() > 0) {
                    return serve(model);
                }
                model.onRead(kind -> fabric.broadcast(new byte[] {(byte) kind.ordinal()}, 0));
                List<String> read = read(model, ids);
                fabric.broadcast(new byte[] {-1}, 0);
                return read;
            }
        });
        assertEquals(expected, found.getFirst());
        assertEquals(List.of("READ", "DRAFT", "READ", "READ", "READ", "READ", "READ"), found.get(1));
        assertEquals(found.get(1), found.get(2));
    }

    private static List<String> read(Model model, int[] ids) {
        List<String> read = new ArrayList<>();
        try (CachePages pages = model.cachePages(1);
                Cache cache = model.cache(40)) {
            Chunk chunk = new Chunk(new int[] {0}, 0, Arrays.copyOf(ids, 19), 1);
            read.add(Arrays.toString(model.extend(pages, List.of(chunk)).getFirst()));
            Chunk following = new Chunk(new int[] {0}, 0, Arrays.copyOfRange(ids, 1, 20), 1);
            read.add(Arrays.toString(model.draft(pages, List.of(following), 0).getFirst()));
            read.add(Arrays.toString(model.extend(cache, ids)));
            for (int id = 4; id < 7; id++) {
                read.add(Arrays.toString(model.extend(cache, id)));
            }
        }
        read.add(bits(model.logits(ids)));
        return read;
    }

    private static List<String> serve(Model model) {
        List<String> served = new ArrayList<>();
        for (int kind = next(model); kind >= 0; kind = next(model)) {
            Model.ReadKind read = Model.ReadKind.values()[kind];
            model.serve(read);
            served.add(read.toString());
        }
        return served;
    }

    private static int next(Model model) {
        return model.fabric().broadcast(new byte[0], 0)[0];
    }

    /// As many bytes as a rank takes, but for rows of others, of which half as many again are
    /// counted as come evenly.
    @Test
    void aRankTakesLess() {
        Training.Settings settings = settings(4);
        long one = Training.bytes(LATENTS, DType.F32, settings);
        long four = Training.bytes(LATENTS, DType.F32, settings, 4, 0);
        assertTrue(four < one / 2, () -> "%d of %d bytes".formatted(four, one));
        List<Long> taken = run(4, fabric -> {
            try (Device device = Device.host(1);
                    Model model = Model.create(LATENTS, kernels(device, Backend.REFERENCE), DType.F32, 5, fabric);
                    Training training = model.training(settings)) {
                return training.bytes();
            }
        });
        assertTrue(taken.getFirst() < four, () -> "%s, %d counted".formatted(taken, four));
        assertTrue(taken.getFirst() > four / 2, () -> "%s, %d counted".formatted(taken, four));
    }

    @Test
    void whatCannotBeSharedIsRefused() {
        List<String> tooMany = run(9, fabric -> {
            try (Device device = Device.host(1)) {
                Kernels kernels = kernels(device, Backend.REFERENCE);
                return Thrown.message(BadInput.class, () -> Model.create(LATENTS, kernels, DType.F32, 1, fabric));
            }
        });
        assertEquals(
                "9 ranks cannot share 8 routed experts, expected one or more for each; use fewer ranks.",
                tooMany.getLast());
        List<String> refused = run(2, fabric -> {
            try (Device device = Device.host(1)) {
                Kernels kernels = kernels(device, Backend.REFERENCE);
                String wide =
                        Thrown.message(BadInput.class, () -> Model.create(LATENTS, kernels, DType.F64, 1, fabric));
                assertEquals("tokens go to experts of other ranks in float32 alone, not in F64.", wide);
                try (Model model = Model.create(LATENTS, kernels, DType.F32, 1, fabric)) {
                    return Thrown.message(BadInput.class, () -> model.training(settings(3)));
                }
            }
        });
        assertEquals("gradients in 3 parts do not spread evenly over 2 ranks, expected a multiple.", refused.getLast());
    }

    @Test
    void whatPartsCannotHoldIsRefused() {
        try (Device device = Device.host(1);
                Fabric fabric = Fabric.alone();
                Model model = Model.create(LATENTS, kernels(device, Backend.REFERENCE), DType.F32, 1, fabric);
                Training training = model.training(settings(2))) {
            Batch apart = batch(0, 2);
            int[] keyStart = apart.keyStart().clone();
            Arrays.fill(keyStart, LENGTH, 2 * LENGTH, 3);
            Batch across = new Batch(2, LENGTH, apart.tokens(), apart.targets(), apart.positions(), keyStart);
            assertEquals(
                    "Batch: sequence 1 goes on with a document of the one before, which lies in another part of the gradients",
                    Thrown.message(IllegalArgumentException.class, () -> training.accumulate(across)));
            int rows = SEQUENCES * LENGTH;
            assertEquals(
                    "Training: a part of 48 tokens, the settings say at most 24",
                    Thrown.message(
                            IllegalArgumentException.class, () -> training.accumulate(Batch.of(Models.ids(rows, 1)))));
            assertEquals(
                    "losses of logits have gradients in one part, these have 2",
                    Thrown.message(IllegalStateException.class, () -> training.accumulate(apart, (_, _) -> {})));
            Training.Settings alike = new Training.Settings(2, LENGTH, 0, 0, false, true, 2);
            assertEquals(
                    "Training: gradients in 2 parts of documents that may begin alike, expected 1",
                    Thrown.message(IllegalArgumentException.class, () -> model.training(alike)));
        }
        try (Device device = Device.host(1);
                Model model = Model.create(LATENTS, kernels(device, Backend.REFERENCE), DType.F32, 1);
                Training training = model.training(settings(1))) {
            assertEquals(
                    "this model's weights lie one by one, make it with a fabric",
                    Thrown.message(IllegalStateException.class, model::flat));
            assertEquals(
                    "these gradients lie one by one, expected a model with a fabric",
                    Thrown.message(IllegalStateException.class, training::flatParts));
        }
    }

    private static <T> List<T> run(int ranks, Function<Fabric, T> work) {
        List<Fabric> fabrics = Fabric.threads(Shape.oneMachine(ranks));
        try (ExecutorService threads = Executors.newFixedThreadPool(ranks)) {
            List<Future<T>> results = new ArrayList<>();
            for (Fabric fabric : fabrics) {
                results.add(threads.submit(() -> {
                    try (fabric) {
                        return work.apply(fabric);
                    }
                }));
            }
            List<T> all = new ArrayList<>();
            for (Future<T> result : results) {
                all.add(result.get());
            }
            return all;
        } catch (ExecutionException e) {
            throw new AssertionError(e.getCause());
        } catch (InterruptedException e) {
            throw new AssertionError(e);
        }
    }
}
