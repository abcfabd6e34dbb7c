package dev.wok.model;

import dev.wok.device.Memory;
import dev.wok.kernel.Kernels;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.stream.LongStream;

/// What sequences' tokens leave behind for those that follow, in pages that each hold [#TOKENS]
/// neighbouring tokens of all layers. In latent attention that is per layer and token a normalised
/// latent and a rotated key (DeepSeek-V2 §2.1), `[pages, layers, TOKENS, kv_lora_rank +
/// qk_rope_head_dim]`; in grouped attention each head's rotated keys, then each head's values,
/// `[pages, layers, 2 * kvHeads, TOKENS, headDim]`; bfloat16 where the model's products are.
///
/// Who owns which page is not known here: [Model#extend(CachePages, java.util.List)] is told. Made by
/// [Model#cachePages]. One thread at a time.
public final class CachePages implements AutoCloseable {
    /// The tokens of a page.
    public static final int TOKENS = 64;

    private final Kernels kernels;
    private final Memory memory;
    private final Tensor all;

    CachePages(ModelConfig config, Kernels kernels, Memory memory, DType dtype, int pages) {
        this(config, kernels, memory, dtype, pages, layers(config));
    }

    /// @param layers how many of the model's these pages are for
    CachePages(ModelConfig config, Kernels kernels, Memory memory, DType dtype, int pages, int layers) {
        this.kernels = kernels;
        this.memory = memory;
        all = memory.tensor(dtype, shape(config, pages, layers));
    }

    /// @param before sizes of the dimensions before those of one layer of a page
    static long[] shape(ModelConfig config, long... before) {
        LongStream layer = switch (config.attention()) {
            case MlaConfig mla -> LongStream.of(TOKENS, mla.cacheDim());
            case GqaConfig gqa -> LongStream.of(2L * gqa.numKeyValueHeads(), TOKENS, gqa.headDim());
        };
        return LongStream.concat(Arrays.stream(before), layer).toArray();
    }

    /// @return the model's layers, and one of multi-token prediction where it has that
    static int layers(ModelConfig config) {
        return config.numHiddenLayers() + Math.min(1, config.numNextnPredictLayers());
    }

    /// @return the pages that so many tokens fill
    public static int pages(int tokens) {
        return Math.ceilDiv(tokens, TOKENS);
    }

    /// @return how many pages there are
    public int pages() {
        return all.size(0);
    }

    /// @return the bytes that all pages take; memory that was never written need not exist
    public long bytes() {
        return memory.bytes();
    }

    /// @return where the first page begins
    long address() {
        return all.memory().address();
    }

    /// Copies a page's first tokens.
    ///
    /// @param tokens how many
    public void copy(int from, int to, int tokens) {
        Tensor source = tokens(from, tokens);
        kernels.elementwise().cast(source, tokens(to, tokens));
    }

    /// @return a copy of a page's contents, for [#write] on a cache of the same model
    public MemorySegment read(int page) {
        Tensor contents = all.select(0, page);
        Tensor copy = Tensor.of(
                MemorySegment.ofArray(new byte[Math.toIntExact(contents.bytes())]), all.dtype(), contents.shape());
        kernels.stream().device().download(contents, copy);
        return copy.memory();
    }

    /// Overwrites a page.
    ///
    /// @param contents what [#read] gave
    /// @throws IllegalArgumentException where they are of another size
    public void write(int page, MemorySegment contents) {
        Tensor target = all.select(0, page);
        if (contents.byteSize() != target.bytes()) {
            throw new IllegalArgumentException(
                    "a page of %d bytes, expected %d".formatted(contents.byteSize(), target.bytes()));
        }
        kernels.stream().device().upload(Tensor.of(contents, all.dtype(), target.shape()), target);
    }

    private Tensor tokens(int page, int tokens) {
        Tensor layers = all.select(0, page);
        return layers.slice(layers.rank() - 2, 0, tokens);
    }

    /// @return `[pages, TOKENS, cacheDim]` or `[pages, 2 * kvHeads, TOKENS, headDim]`
    Tensor layer(int index) {
        return all.select(1, index);
    }

    /// @return the bytes of so many layers of a page
    long layerBytes(int layers) {
        return all.bytes() / all.dim(0) / all.dim(1) * layers;
    }

    /// @return the memory of some layers of a page, on the host
    MemorySegment layers(int page, int from, int to) {
        return all.select(0, page).slice(0, from, to).memory().asSlice(0, layerBytes(to - from));
    }

    @Override
    public void close() {
        memory.close();
    }
}
