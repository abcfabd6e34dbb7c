package dev.wok.bench;

import dev.wok.api.Model;
import dev.wok.generate.Engine;
import dev.wok.notice.Progress;
import dev.wok.serve.Server;
import dev.wok.tensor.Rng;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.atomic.AtomicLong;

/// Connections that ask a server again and again, some with long prompts: what goes wrong, how evenly tokens come
/// meanwhile, and what is left behind.
final class ServeLoad {
    private static final int SHORT_PROMPT = 32;
    private static final int LONG_PROMPT = 1000;
    private static final int ONE_LONG_OF = 8;
    private static final int LEAST_NEW = 16;
    private static final int MOST_NEW = 96;
    private static final double LATE = 0.99;
    private static final Path DESCRIPTORS = Path.of("/proc/self/fd");

    private final Model model;
    private final Server server;
    private final Setup setup;
    private final Progress progress;
    private final Words words = new Words(new Rng(2));
    private final AtomicLong requests = new AtomicLong();
    private final AtomicLong refused = new AtomicLong();
    private final AtomicLong failed = new AtomicLong();
    private final AtomicLong tokens = new AtomicLong();

    ServeLoad(Model model, Server server, Setup setup, Progress progress) {
        this.model = model;
        this.server = server;
        this.setup = setup;
        this.progress = progress;
    }

    private record Left(double heapMegabytes, long descriptors) {}

    /// @param fewTokensPerSecond of a few chats through the same server
    List<Row> rows(int connections, int seconds, double fewTokensPerSecond) {
        Left before = left();
        List<double[]> gaps = new ArrayList<>();
        long begin = System.nanoTime();
        long end = begin + seconds * 1_000_000_000L;
        try (Progress.Task task = progress.start("serving %d connections".formatted(connections), seconds, "s");
                ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            for (int i = 0; i < connections; i++) {
                threads.submit(() -> {
                    double[] found = talk(end);
                    synchronized (gaps) {
                        gaps.add(found);
                    }
                });
            }
            for (int i = 0; i < seconds; i++) {
                sleep(1000);
                task.advance(1);
            }
        }
        double lasted = (System.nanoTime() - begin) * 1e-9;
        Left after = left();
        Engine.Activity activity = model.activity();
        double[] sorted = gaps.stream().flatMapToDouble(Arrays::stream).sorted().toArray();
        double median = quantile(sorted, 0.5);
        String name = "serve_load_%d".formatted(connections);
        List<Row> rows = new ArrayList<>(List.of(
                row(name + ".gap_p99", quantile(sorted, LATE), "ms", "the median between tokens", median),
                row(name + ".failed", failed.get(), "requests", "all", requests.get()),
                row(name + ".refused", refused.get(), "requests", "all", requests.get()),
                row(name + ".throughput", tokens.get() / lasted, "tokens/s", "a few chats", fewTokensPerSecond),
                row(name + ".pages", activity.usedPages(), "pages", "all", activity.pages()),
                row(name + ".heap", after.heapMegabytes(), "MB", "before", before.heapMegabytes())));
        if (before.descriptors() > 0) {
            rows.add(row(name + ".descriptors", after.descriptors(), "files", "before", before.descriptors()));
        }
        return rows;
    }

    private Row row(String name, double value, String unit, String against, double againstValue) {
        return Row.of(name, value, unit, against, againstValue, setup);
    }

    private static double quantile(double[] sorted, double share) {
        return sorted.length == 0 ? 0 : sorted[(int) (share * (sorted.length - 1))];
    }

    /// @return milliseconds between pieces of answers
    private double[] talk(long end) {
        ChatClient client = new ChatClient(server.port());
        double[] gaps = new double[LEAST_NEW];
        int count = 0;
        while (System.nanoTime() < end) {
            boolean isLong = words.below(ONE_LONG_OF) == 0;
            int room = model.config().maxPositionEmbeddings() / 2;
            String prompt = words.next(isLong ? Math.min(LONG_PROMPT, room) : SHORT_PROMPT);
            ChatClient.Outcome outcome =
                    client.ask(prompt, isLong ? LEAST_NEW : LEAST_NEW + words.below(MOST_NEW - LEAST_NEW));
            requests.incrementAndGet();
            switch (outcome) {
                case ChatClient.Answered answered -> {
                    tokens.addAndGet(answered.tokens());
                    long[] nanos = answered.nanos();
                    for (int i = 1; i < nanos.length; i++) {
                        if (count == gaps.length) {
                            gaps = Arrays.copyOf(gaps, 2 * count);
                        }
                        gaps[count++] = (nanos[i] - nanos[i - 1]) * 1e-6;
                    }
                }
                case ChatClient.Refused later -> {
                    refused.incrementAndGet();
                    sleep(Math.min(later.seconds() * 1000L, Math.max(0, end - System.nanoTime()) / 1_000_000));
                }
                case ChatClient.Failed failure -> {
                    if (failed.incrementAndGet() == 1) {
                        progress.say("the first request that failed: %s".formatted(failure.text()));
                    }
                }
            }
        }
        return Arrays.copyOf(gaps, count);
    }

    private static void sleep(long millis) {
        try {
            Thread.sleep(millis);
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Left left() {
        for (int i = 0; i < 3; i++) {
            System.gc();
            sleep(100);
        }
        Runtime runtime = Runtime.getRuntime();
        String[] open = DESCRIPTORS.toFile().list();
        return new Left(
                (runtime.totalMemory() - runtime.freeMemory()) * 1e-6,
                Files.isDirectory(DESCRIPTORS) && open != null ? open.length : 0);
    }
}
