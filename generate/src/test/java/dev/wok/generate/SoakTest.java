package dev.wok.generate;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.generate.Engine.Speculation;
import dev.wok.generate.Generation.FinishReason;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.tensor.Rng;
import dev.wok.testkit.Seeds;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/// Texts come and are cancelled at random, begin alike and have any length, with tokens guessed or
/// not: each is, bit for bit, the one that was generated alone without guesses, and memory does not
/// grow.
class SoakTest {
    private static final int REQUESTS = 60;
    private static final int THREADS = 6;
    private static final int CONTEXT = 640;
    private static final int PAGES = 24;

    /// What may move without a leak: code that is compiled later, buffers of the collector.
    private static final long HEAP_SLACK = 24L << 20;

    private static final long OTHER_SLACK = 64L << 20;

    /// @param ids generated alone
    private record Known(Request request, int[] ids) {}

    private final AtomicLong ended = new AtomicLong();
    private final AtomicLong cancelled = new AtomicLong();

    @Test
    void forSomeSeconds() throws Exception {
        soak(4, false);
    }

    /// `./test slow -Dtest=SoakTest` runs it for half an hour, `-Dwok.soak.minutes` for another time.
    @Test
    @Tag("slow")
    void forHalfAnHour() throws Exception {
        soak(60 * Long.getLong("wok.soak.minutes", 30), true);
        System.out.println(ended.get() + " texts, " + cancelled.get() + " of them cancelled");
    }

    private void soak(long seconds, boolean memory) throws InterruptedException, ExecutionException {
        Rng rng = Seeds.rng("soak");
        for (boolean latent : new boolean[] {true, false}) {
            try (Device device = Device.host(2);
                    Model model = model(device, latent);
                    Engine engine = new Engine(
                            model,
                            Engine.Settings.defaults()
                                    .withCacheBytes(PAGES * model.pageBytes())
                                    .withSpeculation(latent ? Speculation.ALWAYS : Speculation.WHERE_FASTER)
                                    .withSequences(16))) {
                List<Known> known = new ArrayList<>();
                for (int i = 0; i < REQUESTS; i++) {
                    Request request = request(rng.split(i));
                    known.add(new Known(request, alone(model, request)));
                }
                soak(engine, known, rng, seconds / 8.0);
                Used before = Used.now();
                for (int part = 0; part < 6; part++) {
                    soak(engine, known, rng.split(part), seconds / 16.0);
                    if (memory) {
                        System.out.println(ended.get() + " texts: " + Used.now());
                    }
                }
                if (memory) {
                    Used.now().requireNoMoreThan(before);
                }
            }
        }
        assertTrue(ended.get() > 20 && cancelled.get() > 0, ended + " texts, " + cancelled + " cancelled");
    }

    private static Model model(Device device, boolean latent) {
        Kernels kernels = Kernels.on(device.stream(), Kernels.fastest(device));
        return latent ? Small.drafting(kernels, CONTEXT) : Small.grouped(kernels, CONTEXT);
    }

    private static Request request(Rng rng) {
        int[] prompt = new int[1 + rng.below(0, rng.below(1, 3) == 0 ? 500 : 90)];
        int beginning = rng.below(2, 4);
        int own = rng.below(3, prompt.length + 1);
        Arrays.setAll(
                prompt, i -> i < own ? (i * 7 + beginning) % Small.VOCABULARY : rng.below(10L + i, Small.VOCABULARY));
        return Request.of(prompt)
                .withMaxTokens(1 + rng.below(4, 60))
                .withPriority(rng.below(5, 8) == 0 ? 1 : 0)
                .withSampling(
                        rng.below(6, 2) == 0
                                ? Sampling.greedy()
                                : Sampling.atTemperature(1).withTopP(0.9).withSeed(rng.bits(7)));
    }

    private static int[] alone(Model model, Request request) {
        try (Engine engine = new Engine(model, Engine.Settings.defaults().withSpeculation(Speculation.NEVER))) {
            return engine.submit(request).await().ids();
        }
    }

    private void soak(Engine engine, List<Known> known, Rng rng, double seconds)
            throws InterruptedException, ExecutionException {
        long end = System.nanoTime() + (long) (seconds * 1e9);
        try (ExecutorService threads = Executors.newFixedThreadPool(THREADS)) {
            List<Future<?>> running = new ArrayList<>();
            for (int i = 0; i < THREADS; i++) {
                Rng own = rng.split(i);
                running.add(threads.submit(() -> {
                    for (long n = 0; System.nanoTime() < end; n += 10) {
                        visit(engine, known, own, n);
                    }
                }));
            }
            for (Future<?> thread : running) {
                thread.get();
            }
        }
    }

    /// Submits some texts, cancels some of them early or late, reads some, and compares.
    private void visit(Engine engine, List<Known> known, Rng rng, long n) {
        List<Known> chosen = new ArrayList<>();
        List<Decoding> begun = new ArrayList<>();
        for (int i = 0; i <= rng.below(n, 4); i++) {
            Known one = known.get(rng.below(n * 100 + i, known.size()));
            chosen.add(one);
            begun.add(engine.submit(one.request));
        }
        for (int i = 0; i < begun.size(); i++) {
            Decoding decoding = begun.get(i);
            int[] expected = chosen.get(i).ids;
            if (rng.below(n * 1000 + i, 4) == 0) {
                for (int token = rng.below(n * 1001 + i, expected.length); token > 0; token--) {
                    decoding.next();
                }
                decoding.cancel();
            }
            Generation generation = decoding.await();
            int[] ids = generation.ids();
            ended.incrementAndGet();
            if (generation.finishReason() == FinishReason.CANCELLED) {
                cancelled.incrementAndGet();
            } else {
                assertEquals(expected.length, ids.length);
            }
            assertArrayEquals(Arrays.copyOf(expected, ids.length), ids);
        }
    }

    /// What is in use after a collection, in bytes.
    ///
    /// @param heap of it on the heap
    /// @param other what the process has beside the heap, or 0 where the system does not say
    private record Used(long heap, long other) {
        static Used now() {
            System.gc();
            Runtime runtime = Runtime.getRuntime();
            long resident = resident();
            return new Used(
                    runtime.totalMemory() - runtime.freeMemory(), resident == 0 ? 0 : resident - runtime.totalMemory());
        }

        void requireNoMoreThan(Used before) {
            assertTrue(heap - before.heap < HEAP_SLACK, "the heap grew from %s to %s".formatted(before, this));
            assertTrue(
                    other - before.other < OTHER_SLACK, "what is beside it grew from %s to %s".formatted(before, this));
        }

        private static long resident() {
            Path status = Path.of("/proc/self/status");
            if (!Files.exists(status)) {
                return 0;
            }
            try {
                return Files.readAllLines(status).stream()
                        .filter(line -> line.startsWith("VmRSS:"))
                        .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")) << 10)
                        .findFirst()
                        .orElse(0);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
