package dev.wok.model;

import dev.wok.device.Workspace;
import dev.wok.fabric.Fabric;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/// Passes that only infer through the stages of a pipeline: the first rank brings hidden states to
/// each rank in turn and takes them back. It has the caches of all layers; the pages that a pass uses
/// go there and back with it.
final class StageReads {
    private final Network network;
    private final Stages stages;
    private final Pass p;
    private final Pages pages;

    /// Pages that a pass uses.
    ///
    /// @param cache of this rank, or null for a pass without one
    /// @param used which of its pages
    /// @param first the layer of the model that it begins with
    private record Pages(@Nullable CachePages cache, int[] used, int first) {
        static final Pages NONE = new Pages(null, new int[0], 0);

        long bytes(int layers) {
            return cache == null ? 0 : used.length * cache.layerBytes(layers);
        }

        /// @param message gets the pages of some layers
        void write(MemorySegment message, int from, int to) {
            if (cache != null) {
                for (int i = 0; i < used.length; i++) {
                    long bytes = cache.layerBytes(to - from);
                    MemorySegment there = message.asSlice(i * bytes, bytes);
                    there.copyFrom(cache.layers(used[i], from - first, to - first));
                }
            }
        }

        void read(MemorySegment message, int from, int to) {
            if (cache != null) {
                for (int i = 0; i < used.length; i++) {
                    long bytes = cache.layerBytes(to - from);
                    cache.layers(used[i], from - first, to - first).copyFrom(message.asSlice(i * bytes, bytes));
                }
            }
        }
    }

    private StageReads(Network network, Pass p, Pages pages) {
        this.network = network;
        stages = stages(network);
        this.p = p;
        this.pages = pages;
    }

    /// On the first rank, as [Network#infer(Pass, Tensor, CachePages)] without a cache.
    static Tensor infer(Network network, Pass p, Tensor ids) {
        return new StageReads(network, p, Pages.NONE).infer(ids);
    }

    /// On the first rank, as [Network#infer(Pass, Tensor, CachePages)].
    static Tensor infer(Network network, Pass p, Reading reading, Tensor ids, CachePages cache) {
        StageReading read = StageReading.of(reading);
        boolean _ = network.ranks.fabric().broadcast(read.bytes(), 0).length > 0;
        return new StageReads(network, p, new Pages(cache, read.pages(), 0)).infer(ids);
    }

    private Tensor infer(Tensor ids) {
        Tensor x = network.embed(p, ids);
        Tensor y = p.rows(x.dim(1));
        for (int stage = 0; stage < stages.count(); stage++) {
            if (stages.rankOf(stage) == 0) {
                Tensor out = here(stage, x, y);
                y = out == x ? y : x;
                x = out;
            } else {
                there(stage, x);
            }
        }
        return network.finalNorm(p, x, p.tensor(p.tokens()));
    }

    private Tensor here(int stage, Tensor x, Tensor y) {
        int from = stage < stages.ranks() ? 0 : stages.layers(stages.rankOf(stage));
        return network.infer(p, from, from + stages.layers(stage), x, y, pages.cache, pages.first);
    }

    private void there(int stage, Tensor x) {
        int rank = stages.rankOf(stage);
        try (Arena arena = Arena.ofShared()) {
            Tensor message = message(arena, stage);
            send(message, stage, x, rank);
            receive(message, stage, x, rank);
        }
    }

    private StageLayout layout(int stage) {
        return new StageLayout(StageLayout.Kind.READ, stage, 0, p.tokens(), network.config.hiddenSize());
    }

    private Tensor message(Arena arena, int stage) {
        long rows = StageLayout.floats(p.tokens(), network.config.hiddenSize());
        return Tensor.allocate(arena, DType.F32, rows + pages.bytes(stages.layers(stage)) / Float.BYTES);
    }

    /// @return what lies behind the rows of a message
    private MemorySegment behind(Tensor message, int stage) {
        return message.memory().asSlice(layout(stage).bytes(message).byteSize());
    }

    private Fabric fabric() {
        return network.ranks.fabric();
    }

    private void send(Tensor message, int stage, Tensor x, int to) {
        layout(stage).write(message.memory());
        layout(stage).rows(message).copyFrom(x);
        pages.write(behind(message, stage), stages.bounds()[stage], stages.bounds()[stage + 1]);
        fabric().send(message.memory().asSlice(0, message.bytes()), to);
    }

    /// @param x written
    private void receive(Tensor message, int stage, Tensor x, int from) {
        fabric().receive(message.memory().asSlice(0, message.bytes()), from);
        layout(stage).require(message.memory(), from);
        x.copyFrom(layout(stage).rows(message));
        pages.read(behind(message, stage), stages.bounds()[stage], stages.bounds()[stage + 1]);
    }

    /// Takes part in [#infer(Network, Pass, Tensor)] of the first rank.
    ///
    /// @param p for the same tokens
    static void serve(Network network, Pass p) {
        for (int stage : stages(network).of(network.ranks.place())) {
            new StageReads(network, p, Pages.NONE).serve(stage);
        }
    }

    private static Stages stages(Network network) {
        return Objects.requireNonNull(network.ranks.stages(), "this model's layers are not dealt to ranks");
    }

    /// Takes part in [#infer(Network, Pass, Reading, Tensor, CachePages)] of the first rank.
    static void serve(Network network, Workspace workspace) {
        StageReading read = StageReading.of(
                network.ranks.fabric().broadcast(new byte[0], 0), network.config.maxPositionEmbeddings());
        Reading reading = read.reading();
        network.use.reads(reading.shape().tokens());
        Pass p = network.pass(workspace, reading.on(network.ints(workspace, reading.values())));
        Stages stages = stages(network);
        for (int stage : stages.of(network.ranks.place())) {
            try (CachePages cache = new CachePages(
                    network.config,
                    network.kernels,
                    network.device().memory(),
                    network.cacheType(),
                    read.pages().length,
                    stages.layers(stage))) {
                new StageReads(network, p, new Pages(cache, read.pages(), stages.bounds()[stage])).serve(stage);
            }
        }
    }

    private void serve(int stage) {
        try (Arena arena = Arena.ofShared();
                var _ = p.scope()) {
            Tensor message = message(arena, stage);
            Tensor x = p.rows(network.config.hiddenSize());
            receive(message, stage, x, 0);
            send(message, stage, here(stage, x, p.rows(x.dim(1))), 0);
        }
    }

    /// Runs the stages that lie here, one after the other.
    static void here(Network network, Pass p, Tensor x, Tensor y) {
        for (int stage : stages(network).of(network.ranks.place())) {
            boolean _ = new StageReads(network, p, Pages.NONE).here(stage, x, y) == x;
        }
    }
}
