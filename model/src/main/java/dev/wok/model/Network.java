package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.Memory;
import dev.wok.device.Mirrors;
import dev.wok.device.Workspace;
import dev.wok.fabric.GpuPeers;
import dev.wok.fabric.Placement;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.PartSums;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// The layers in their order, over weights on one device: embedding, decoder layers, final norm, head,
/// multi-token prediction. On a dry device the same calls measure what they take.
final class Network {
    final ModelConfig config;
    final Kernels kernels;
    final DType dtype;
    final @Nullable Storage storage;
    final Weights weights;

    @Nullable
    ExpertReads reads;

    private final List<DecoderLayer> layers = new ArrayList<>();

    /// Each one's number in the model.
    private final List<Integer> numbers = new ArrayList<>();

    private final List<MtpLayer> mtp = new ArrayList<>();
    private final Tensor frequencies;
    private final int experts;

    /// Who shares this model.
    final Ranks ranks;

    /// Of what goes to other ranks.
    final Mirrors mirrors;

    /// Null where no tokens go from GPU to GPU.
    final @Nullable GpuPeers peers;

    private final @Nullable FlatMemory flat;

    /// Of the layers with experts, in their order, multi-token prediction's last.
    private final List<Placement> placements = new ArrayList<>();

    private final List<SpreadExperts> spread = new ArrayList<>();

    /// Of the main model's layers, for passes that only infer.
    final ExpertUse use;

    Network(ModelConfig config, Kernels kernels, Memory memory, DType dtype) {
        this(config, kernels, memory, dtype, null, Weights.Supply.of(memory));
    }

    /// @param memory for what is no weight
    /// @param storage of packed weights, or null for such as can be trained
    /// @param supply of the weights
    Network(
            ModelConfig config,
            Kernels kernels,
            Memory memory,
            DType dtype,
            @Nullable Storage storage,
            Weights.Supply supply) {
        this(config, kernels, memory, dtype, storage, supply, Ranks.alone());
    }

    /// @param ranks who shares the model
    Network(
            ModelConfig config,
            Kernels kernels,
            Memory memory,
            DType dtype,
            @Nullable Storage storage,
            Weights.Supply supply,
            Ranks ranks) {
        this.config = config;
        this.kernels = kernels;
        this.dtype = dtype;
        this.ranks = ranks;
        mirrors = new Mirrors(device());
        peers = ranks.peers(config, device());
        flat = supply instanceof FlatMemory memoryOfAll ? memoryOfAll : null;
        weights = new Weights(config, supply, dtype, storage, ranks);
        this.storage = storage;
        MoeConfig moe = config.moe();
        PartSums sums = ranks.partSums(config, kernels);
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            SpreadExperts spread = spread(i);
            if (ranks.has(i)) {
                layers.add(new DecoderLayer(config, i, spread, sums));
                numbers.add(i);
            }
        }
        for (int k = 0; k < config.numNextnPredictLayers(); k++) {
            int index = config.numHiddenLayers() + k;
            SpreadExperts spread = spread(index);
            if (ranks.hasEnds()) {
                mtp.add(new MtpLayer(config, index, spread, sums));
            }
        }
        Tensor host = Tensor.of(config.rope().frequencies(config.attention().rotaryDim()));
        frequencies = memory.tensor(dtype, host.dim(0));
        device().upload(host, frequencies);
        experts = moe == null ? 0 : moe.nRoutedExperts();
        use = new ExpertUse(config, kernels, memory);
    }

    /// Lays a layer's experts.
    ///
    /// @return them, or null where no other rank has any
    private @Nullable SpreadExperts spread(int layer) {
        MoeConfig moe = config.moe();
        if (moe == null || !config.isMoe(layer)) {
            return null;
        }
        Placement first = ranks.first(moe, placements.size());
        placements.add(first);
        if (!ranks.exchange()) {
            return null;
        }
        spread.add(new SpreadExperts(ranks.exchange(config.hiddenSize(), moe, first, mirrors, peers)));
        return spread.getLast();
    }

    List<Placement> placements() {
        return placements;
    }

    /// @param name of a routed expert's tensor
    Placement placement(String name) {
        return placements.get(config.moeNumber(Weights.layer(name)));
    }

    /// Says that a layer's experts were moved.
    ///
    /// @param number of the layer, counted among those with experts
    void place(int number, Placement placement) {
        placements.set(number, placement);
        int layer = IntStream.range(0, config.numHiddenLayers() + config.numNextnPredictLayers())
                .filter(config::isMoe)
                .skip(number)
                .findFirst()
                .orElseThrow();
        weights.rename(layer, placement.slots()[ranks.rank()]);
        MoeConfig moe = Objects.requireNonNull(config.moe());
        spread.get(number).follow(ranks.exchange(config.hiddenSize(), moe, placement, mirrors, peers));
    }

    /// @return whether what all ranks have alike lies in one tensor
    boolean isFlat() {
        return flat != null;
    }

    /// @throws IllegalStateException where it does not
    Flat flat() {
        if (flat == null) {
            throw new IllegalStateException("this model's weights lie one by one, make it with a fabric");
        }
        return flat.flat(weights.parameters());
    }

    Device device() {
        return kernels.stream().device();
    }

    /// What a batch of packed sequences needs on the device, taken from the workspace.
    Pass pass(Workspace workspace, int[] positions, int[] keyStart) {
        return pass(workspace, ints(workspace, positions), ints(workspace, keyStart), null, null, null);
    }

    /// As [#pass(Workspace, int\[\], int\[\])], for documents that may begin alike.
    Pass pass(Workspace workspace, Batch batch) {
        WholeTexts whole = WholeTexts.of(this, workspace, batch.texts(), null);
        Tensor positions = ints(workspace, batch.positions());
        return pass(workspace, positions, ints(workspace, batch.keyStart()), null, null, whole);
    }

    /// As [#pass(Workspace, Batch)], whose attention has the bits of a pass with a cache.
    Pass passAsSampled(Workspace workspace, Batch batch) {
        List<Batch.Text> texts = batch.texts();
        List<Chunk> rows = new ArrayList<>();
        List<Chunk> wholes = new ArrayList<>();
        int pages = 0;
        for (Batch.Text text : texts) {
            int next = pages + CachePages.pages(text.length());
            int[] own = IntStream.range(pages, next).toArray();
            rows.add(new Chunk(own, text.shared(), Arrays.copyOfRange(batch.tokens(), text.from(), text.to()), 0));
            wholes.add(new Chunk(own, 0, new int[text.length()], 0));
            pages = next;
        }
        Reading.Here here = on(workspace, rows);
        WholeTexts whole = WholeTexts.of(this, workspace, texts, on(workspace, wholes));
        Tensor layer = workspace.tensor(cacheType(), CachePages.shape(config, pages));
        return pass(workspace, here.positions(), ints(workspace, batch.keyStart()), here.table(), layer, whole);
    }

    private Reading.Here on(Workspace workspace, List<Chunk> chunks) {
        Reading reading = Reading.of(chunks, new int[0], false);
        return reading.on(ints(workspace, reading.values()));
    }

    /// What products round anyway is kept rounded, and what meets rounded weights.
    DType cacheType() {
        if (kernels.precision() == Precision.BF16 && dtype == DType.F32) {
            return DType.BF16;
        }
        return storage == null ? dtype : storage.cache();
    }

    /// What tokens that are read into a cache need on the device.
    ///
    /// @param reading on the device already
    Pass pass(Workspace workspace, Reading.Here reading) {
        return pass(workspace, reading.positions(), reading.keyStart(), reading.table(), null, null);
    }

    private Pass pass(
            Workspace workspace,
            Tensor positions,
            Tensor keyStart,
            @Nullable PageTable table,
            @Nullable Tensor layerCache,
            @Nullable WholeTexts whole) {
        int tokens = positions.size(0);
        Tensor cos = workspace.tensor(dtype, tokens, frequencies.dim(0));
        Tensor sin = workspace.tensor(dtype, tokens, frequencies.dim(0));
        kernels.rotary().table(positions, frequencies, config.rope().attentionScaling(), cos, sin);
        return new Pass(
                kernels,
                workspace,
                dtype,
                tokens,
                positions,
                table,
                whole,
                keyStart,
                cos,
                sin,
                layerCache,
                reads,
                Parts.whole(tokens),
                null,
                Turn.ALONE,
                ranks.fabric().timeline());
    }

    Tensor ints(Workspace workspace, int[] values) {
        Tensor here = workspace.tensor(DType.I32, values.length);
        device().upload(Tensor.of(MemorySegment.ofArray(values), DType.I32, values.length), here);
        return here;
    }

    /// Counts nobody looks at.
    RouterLayer.Balance unwatched(Workspace workspace) {
        Tensor load = workspace.tensor(DType.I32, Math.max(1, experts));
        kernels.elementwise().fill(load, 0);
        return RouterLayer.Balance.of(load);
    }

    /// @param saved per layer, in order
    /// @param out the last layer's output, `[tokens, hidden]`
    /// @param rstd of the final norm
    /// @param normed `[tokens, hidden]`, after the final norm
    record Saved(Tensor ids, List<DecoderLayer.Saved> saved, Tensor out, Tensor rstd, Tensor normed) {}

    /// Runs the main model and keeps what its backward pass needs.
    ///
    /// @param balances per layer, how routing is counted
    Saved forward(Pass p, Tensor ids, List<RouterLayer.Balance> balances) {
        try (var _ = p.span("forward")) {
            Tensor x = embed(p, ids);
            Tensor out = p.rows(config.hiddenSize());
            List<DecoderLayer.Saved> saved = forward(p, 0, layers.size(), x, balances, out);
            Tensor rstd = p.tensor(p.tokens());
            return new Saved(ids, saved, out, rstd, finalNorm(p, out, rstd));
        }
    }

    /// @return `[tokens, hidden]`: the tokens' embeddings
    Tensor embed(Pass p, Tensor ids) {
        Tensor x = p.rows(config.hiddenSize());
        kernels.embedding().forward(ids, weights.embedding, x);
        return x;
    }

    /// Runs some layers that lie here.
    ///
    /// @param from the first, counted over those that lie here
    /// @param to behind the last
    /// @param x `[tokens, hidden]`
    /// @param balances of all layers here
    /// @param out `[tokens, hidden]`, written
    List<DecoderLayer.Saved> forward(
            Pass p, int from, int to, Tensor x, List<RouterLayer.Balance> balances, Tensor out) {
        List<DecoderLayer.Saved> saved = new ArrayList<>();
        Tensor before = x;
        for (int i = from; i < to; i++) {
            Tensor y = i + 1 < to ? p.rows(config.hiddenSize()) : out;
            saved.add(layers.get(i).forward(p, weights.layers.get(i), before, balances.get(i), y));
            before = y;
        }
        return saved;
    }

    /// @param rstd `[tokens]`, written
    /// @return `[tokens, hidden]`
    Tensor finalNorm(Pass p, Tensor x, Tensor rstd) {
        Tensor normed = p.rows(config.hiddenSize());
        kernels.rmsNorm().forward(x, weights.norm, config.rmsNormEps(), normed, rstd);
        return normed;
    }

    /// Runs the main model forward only: a layer's values are gone when the next begins. Choices are added to [#use].
    ///
    /// @param cache written to, or null for a pass without one
    /// @return `[tokens, hidden]`, after the final norm
    Tensor infer(Pass p, Tensor ids, @Nullable CachePages cache) {
        Tensor x = embed(p, ids);
        Tensor out = infer(p, 0, layers.size(), x, p.rows(config.hiddenSize()), cache, 0);
        return finalNorm(p, out, p.tensor(p.tokens()));
    }

    /// Runs some layers that lie here, as [#infer(Pass, Tensor, CachePages)].
    ///
    /// @param from the first, counted over those that lie here
    /// @param to behind the last
    /// @param x `[tokens, hidden]`, overwritten
    /// @param y `[tokens, hidden]`, overwritten
    /// @param first the layer of the model that the cache begins with
    /// @return what the last layer gives: one of the two
    Tensor infer(Pass p, int from, int to, Tensor x, Tensor y, @Nullable CachePages cache, int first) {
        Tensor before = x;
        Tensor after = y;
        for (int i = from; i < to; i++) {
            try (var _ = p.scope()) {
                Weights.Layer w = weights.layers.get(i);
                RouterLayer.Balance balance = use.of(numbers.get(i));
                if (cache == null) {
                    layers.get(i).forward(p, w, before, balance, after);
                } else {
                    if (p.reads() != null && i + 1 < layers.size()) {
                        layers.get(i + 1).guess(p, p.reads(), weights.layers.get(i + 1), before);
                    }
                    layers.get(i).extend(p, w, before, balance, cache.layer(numbers.get(i) - first), after);
                }
            }
            Tensor swap = before;
            before = after;
            after = swap;
        }
        return before;
    }

    /// Runs multi-token prediction behind [#infer].
    ///
    /// @param hidden `[tokens, hidden]`, what that gave for the tokens
    /// @param ids `[tokens]`, I32: the tokens that follow them
    /// @return `[tokens, hidden]`, of which the head makes logits of the tokens after those
    Tensor draft(Pass p, Tensor hidden, Tensor ids, CachePages cache) {
        Tensor place = cache.layer(config.numHiddenLayers());
        return mtp(0).extend(
                        p, weights.mtp.getFirst(), weights.embedding, hidden, ids, unwatched(p.workspace()), place);
    }

    /// Takes part in [#infer], which another rank does with tokens of its own.
    ///
    /// @param p without tokens
    void serve(Pass p) {
        for (int i = 0; i < layers.size(); i++) {
            layers.get(i).serve(p, weights.layers.get(i));
        }
    }

    /// As [#serve], in [#draft].
    void serveDraft(Pass p) {
        mtp(0).serve(p, weights.mtp.getFirst());
    }

    /// Embeddings and their gradient.
    ///
    /// @param ids `[tokens]`, I32
    /// @param d `[tokens, hidden]`
    record LookedUp(Tensor ids, Tensor d) {}

    /// Takes the gradient of the normalised output back to the weights. The embedding's are added
    /// at the very end: passes that take turns reach that place in their order.
    ///
    /// @param dNormed `[tokens, hidden]`
    /// @param further embeddings that were looked up beside the model's input
    /// @param done hears a layer's number when nothing more is added to the gradients of that layer and of
    ///     what lies behind it: from the number of layers down to -1, which is the embedding's
    void backward(
            Pass p,
            Weights g,
            Saved s,
            List<RouterLayer.Balance> balances,
            Tensor dNormed,
            List<LookedUp> further,
            IntConsumer done) {
        try (var _ = p.scope();
                var _ = p.span("backward")) {
            Tensor d = p.rows(config.hiddenSize());
            p.normBackward(s.out, weights.norm, s.rstd, dNormed, d, false, g.norm);
            done.accept(layers.size());
            backward(p, 0, g, s.saved, balances, d, done);
            further.forEach(f -> p.embeddingBackward(f.ids, f.d, g.embedding));
            p.embeddingBackward(s.ids, d, g.embedding);
            done.accept(-1);
        }
    }

    /// Takes a gradient back through layers that lie here.
    ///
    /// @param from the first, counted over those that lie here
    /// @param saved what [#forward(Pass, int, int, Tensor, List, Tensor)] gave
    /// @param balances of all layers here
    /// @param d `[tokens, hidden]`: the gradient of the last one's output, becomes that of the first
    ///     one's input
    /// @param done hears each layer's place, counted likewise, when its gradients are there
    void backward(
            Pass p,
            int from,
            Weights g,
            List<DecoderLayer.Saved> saved,
            List<RouterLayer.Balance> balances,
            Tensor d,
            IntConsumer done) {
        for (int k = saved.size() - 1; k >= 0; k--) {
            int i = from + k;
            layers.get(i).backward(p, weights.layers.get(i), g.layers.get(i), saved.get(k), balances.get(i), d);
            done.accept(i);
        }
    }

    /// @return the numbers of the layers that lie here, in order; those of multi-token prediction
    ///     follow the main model's
    List<Integer> numbers() {
        List<Integer> all = new ArrayList<>(numbers);
        for (int k = 0; k < mtp.size(); k++) {
            all.add(config.numHiddenLayers() + k);
        }
        return all;
    }

    MtpLayer mtp(int depth) {
        return mtp.get(depth);
    }
}
