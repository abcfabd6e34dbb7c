package dev.wok.kernel.x86;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.device.Memory;
import dev.wok.kernel.Precision;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.SequencedSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/// Finds by trying how products are cut best on this machine.
///
/* For each kind first the tiles, on all products, then for each size the rows of a block and the number of tasks. What
 * is compared is measured in turn, round after round, so that what else the machine does meets all alike; the best time
 * of a pair of tiling and product counts, and after each round the slower half is dropped. What is usual is given up only
 * for what is clearly faster.
 */
final class TileSearch implements AutoCloseable {
    /// One measured product.
    ///
    /// @param m rows of the result
    record Product(int m, int n, int k) {
        Tilings.Size size() {
            return Tilings.Size.of(m);
        }

        String text() {
            return "%dx%dx%d".formatted(m, n, k);
        }

        private double flop() {
            return 2.0 * m * n * k;
        }
    }

    /// How fast a product was with a tiling, at best.
    record Trial(Tile.Kind kind, Product product, Tiling tiling, double gflops) {}

    record Result(Tilings tilings, List<Trial> trials) {}

    private record Key(Tile.Kind kind, Product product, Tiling tiling) {}

    private record PanelsKey(Tile.Kind kind, Product product, int vectors) {}

    private static final List<Product> PRODUCTS = List.of(
            new Product(32, 2048, 512),
            new Product(256, 512, 512),
            new Product(2048, 512, 512),
            new Product(512, 4096, 512),
            new Product(1024, 1024, 1024));
    private static final int[] BLOCK_ROWS = {48, 64, 96, 128, 192, Tiling.BLOCK_ROWS_MOST};
    private static final int[] TASKS = {1, 2, 4, 8, 16};

    /// So much less time, as a share, for what is unusual.
    private static final double CLEARLY = 0.02;

    private static final int ROUNDS = 12;
    private static final long LEAST_NANOS = 1_000_000;

    private final Isa isa;
    private final long nanos;
    private final Progress.Task task;
    private final HostDevice device;
    private final Memory memory;
    private final Arena arena = Arena.ofShared();
    private final Gemm gemm;
    private final SequencedMap<Key, Double> times = new LinkedHashMap<>();
    private final Map<PanelsKey, Panels> panels = new HashMap<>();
    private final Map<Product, Tensor> left = new HashMap<>();
    private final Map<Product, Tensor> right = new HashMap<>();
    private final Map<Product, Tensor> results = new HashMap<>();

    private TileSearch(Isa isa, int threads, long nanos, Progress.Task task) {
        this.isa = isa;
        this.nanos = nanos;
        this.task = task;
        device = Device.host(threads);
        memory = device.memory();
        gemm = new Gemm(new Programs(device, isa), Tilings.usualFor(isa));
        for (Product p : PRODUCTS) {
            left.put(p, random(p.m, p.k));
            right.put(p, random(p.n, p.k));
            results.put(p, memory.tensor(DType.F32, p.m, p.n));
        }
    }

    /// @param nanos about how long it may take
    static Result run(Isa isa, int threads, String processor, long nanos, Progress progress) {
        try (Progress.Task task = progress.start("finding the fastest tiles for " + processor, -1, "trials");
                TileSearch search = new TileSearch(isa, threads, nanos, task)) {
            return search.all();
        }
    }

    /// @return the tiles that are tried
    static List<Tiling> tiles(Isa isa) {
        int[][] shapes = isa.hasMasks()
                ? new int[][] {{8, 3}, {9, 3}, {7, 3}, {6, 4}, {5, 4}, {9, 2}, {5, 5}}
                : new int[][] {{6, 2}, {5, 2}, {4, 2}, {3, 3}};
        List<Tiling> tiles = new ArrayList<>();
        for (int[] shape : shapes) {
            tiles.add(Tilings.usual(isa).withTile(shape[0], shape[1]));
        }
        return tiles;
    }

    private static List<Tiling> blocks(Tiling tiling) {
        List<Tiling> all = new ArrayList<>();
        for (int rows : BLOCK_ROWS) {
            all.add(tiling.withBlockRows(rows));
        }
        return all;
    }

    private static List<Tiling> tasks(Tiling tiling) {
        List<Tiling> all = new ArrayList<>();
        for (int count : TASKS) {
            all.add(tiling.withTasks(count));
        }
        return all;
    }

    private Result all() {
        Map<Tilings.Key, Tiling> chosen = new HashMap<>();
        List<Tile.Kind> kinds = Tilings.kinds(isa);
        for (Tile.Kind kind : kinds) {
            compare(kind, tiles(isa), List.of(Tilings.usual(isa)), PRODUCTS, nanos / 2 / kinds.size());
            int vectors = vectors(kind);
            for (Tilings.Size size : Tilings.Size.values()) {
                long share = nanos / 2 / kinds.size() / Tilings.Size.values().length;
                chosen.put(new Tilings.Key(kind, size), cut(kind, vectors, size, share));
            }
        }
        List<Trial> trials = new ArrayList<>();
        times.forEach(
                (key, time) -> trials.add(new Trial(key.kind, key.product, key.tiling, key.product.flop() / time)));
        return new Result(Tilings.of(isa, key -> Objects.requireNonNull(chosen.get(key))), List.copyOf(trials));
    }

    /// The vectors with which the best tiles of all products together are fastest.
    private int vectors(Tile.Kind kind) {
        Map<Integer, Double> scores = new HashMap<>();
        for (Tiling tile : tiles(isa)) {
            scores.computeIfAbsent(tile.vectors(), v -> {
                double sum = 0;
                for (Tilings.Size size : Tilings.Size.values()) {
                    sum += score(kind, best(kind, tilesOf(v), of(size)), of(size));
                }
                return sum;
            });
        }
        int usual = Tilings.usual(isa).vectors();
        scores.merge(usual, CLEARLY * PRODUCTS.size(), (score, margin) -> score - margin);
        return scores.entrySet().stream()
                .min(Map.Entry.<Integer, Double>comparingByValue().thenComparing(Map.Entry.comparingByKey()))
                .orElseThrow()
                .getKey();
    }

    private List<Tiling> tilesOf(int vectors) {
        return tiles(isa).stream().filter(t -> t.vectors() == vectors).toList();
    }

    private static List<Product> of(Tilings.Size size) {
        return PRODUCTS.stream().filter(p -> p.size() == size).toList();
    }

    /// Rows, rows of a block and tasks for products of a size.
    private Tiling cut(Tile.Kind kind, int vectors, Tilings.Size size, long share) {
        List<Product> products = of(size);
        Tiling usual = Tilings.usual(isa);
        List<Tiling> tiles = tilesOf(vectors);
        Tiling tiling = tiles.contains(usual) ? better(kind, tiles, usual, products) : best(kind, tiles, products);
        if (size != Tilings.Size.SMALL) {
            compare(kind, blocks(tiling), List.of(tiling, usual), products, share / 2);
            tiling = better(kind, blocks(tiling), tiling, products);
        }
        compare(kind, tasks(tiling), List.of(tiling, usual), products, share / 2);
        return better(kind, tasks(tiling), tiling, products);
    }

    /// The best one where it is clearly faster than another, else that.
    private Tiling better(Tile.Kind kind, List<Tiling> candidates, Tiling than, List<Product> products) {
        Tiling best = best(kind, candidates, products);
        double gain = score(kind, than, products) - score(kind, best, products);
        return gain > CLEARLY * products.size() ? best : than;
    }

    private Tiling best(Tile.Kind kind, List<Tiling> candidates, List<Product> products) {
        return candidates.stream()
                .min(Comparator.comparingDouble(t -> score(kind, t, products)))
                .orElseThrow();
    }

    /// Less is better; the difference of two is the relative difference of their times, about.
    private double score(Tile.Kind kind, Tiling tiling, List<Product> products) {
        double sum = 0;
        for (Product product : products) {
            sum += Math.log(times.getOrDefault(new Key(kind, product, tiling), Double.MAX_VALUE));
        }
        return sum;
    }

    /// Measures candidates in turn, fewer in each round.
    ///
    /// @param always those that are not dropped
    private void compare(
            Tile.Kind kind, List<Tiling> candidates, List<Tiling> always, List<Product> products, long within) {
        long end = System.nanoTime() + within;
        SequencedSet<Tiling> rest = new LinkedHashSet<>(always);
        rest.addAll(candidates);
        for (int round = 0; round < ROUNDS && (round == 0 || System.nanoTime() < end); round++) {
            for (Tiling tiling : rest) {
                for (Product product : products) {
                    measure(kind, product, tiling);
                }
            }
            List<Tiling> faster = rest.stream()
                    .sorted(Comparator.comparingDouble(t -> score(kind, t, products)))
                    .limit(Math.max(2, (rest.size() + 1) / 2))
                    .toList();
            rest.retainAll(Stream.concat(faster.stream(), always.stream()).collect(Collectors.toSet()));
        }
    }

    private void measure(Tile.Kind kind, Product product, Tiling tiling) {
        Key key = new Key(kind, product, tiling);
        Precision in = kind == Tile.Kind.BF16 ? Precision.BF16 : Precision.F32;
        Tensor a = of(left, product);
        Gemm.Problem problem = new Gemm.Problem(
                product.m,
                gemm.rows(a, i -> i, in),
                panels(kind, product, tiling.vectors(), in),
                of(results, product),
                false,
                null);
        if (!times.containsKey(key)) {
            // The first run writes the code.
            gemm.run(List.of(problem), _ -> tiling);
        }
        long begin = System.nanoTime();
        int runs = 0;
        long elapsed;
        do {
            gemm.run(List.of(problem), _ -> tiling);
            runs++;
            elapsed = System.nanoTime() - begin;
        } while (elapsed < LEAST_NANOS);
        double time = (double) elapsed / runs;
        times.merge(key, time, Math::min);
        task.detail("%s %s %.0f GFLOP/s".formatted(kind, tiling.text(), product.flop() / time));
        task.advance(1);
    }

    private Panels panels(Tile.Kind kind, Product p, int vectors, Precision in) {
        return panels.computeIfAbsent(new PanelsKey(kind, p, vectors), _ -> {
            long bytes = gemm.panelBytes(p.n, p.k, in);
            Panels to =
                    new Panels(device.scratch(arena, bytes).asSlice(0, bytes), kind, p.n, p.k, vectors, isa.lanes(), 0);
            gemm.pack(List.of(new Gemm.Right(of(right, p), true, i -> i, to)), in);
            return to;
        });
    }

    private static Tensor of(Map<Product, Tensor> tensors, Product product) {
        Tensor tensor = tensors.get(product);
        if (tensor == null) {
            throw new IllegalArgumentException(product.text());
        }
        return tensor;
    }

    private Tensor random(int rows, int columns) {
        Tensor tensor = memory.tensor(DType.F32, rows, columns);
        Rng rng = new Rng(rows);
        for (long i = 0; i < (long) rows * columns; i++) {
            tensor.memory().setAtIndex(ValueLayout.JAVA_FLOAT, i, rng.below(i, 2001) * 1e-3f - 1);
        }
        return tensor;
    }

    @Override
    public void close() {
        memory.close();
        device.close();
        arena.close();
    }
}
