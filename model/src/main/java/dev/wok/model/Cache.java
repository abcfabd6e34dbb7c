package dev.wok.model;

import dev.wok.device.Memory;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;

/// What one sequence's tokens leave behind for those that follow. In latent attention that is per layer
/// and token a normalised latent and a rotated key (DeepSeek-V2 §2.1), `[capacity, kv_lora_rank +
/// qk_rope_head_dim]`; in grouped attention each head's rotated keys, then each head's values, `[2 *
/// kvHeads, capacity, headDim]`. Made by [Model#cache], filled by [Model#extend]; bfloat16 where the
/// model's products are. One thread at a time.
public final class Cache implements AutoCloseable {
    private final Memory memory;
    private final int capacity;
    private final List<Tensor> layers = new ArrayList<>();
    private int length;

    Cache(ModelConfig config, Memory memory, DType dtype, int capacity) {
        this.memory = memory;
        this.capacity = capacity;
        for (int i = 0; i < config.numHiddenLayers(); i++) {
            layers.add(
                    switch (config.attention()) {
                        case MlaConfig mla -> memory.tensor(dtype, capacity, mla.cacheDim());
                        case GqaConfig gqa ->
                            memory.tensor(dtype, 2L * gqa.numKeyValueHeads(), capacity, gqa.headDim());
                    });
        }
    }

    /// @return how many tokens it can hold
    public int capacity() {
        return capacity;
    }

    /// @return how many tokens it holds
    public int length() {
        return length;
    }

    /// @return the bytes that it takes, however many tokens it holds
    public long bytes() {
        return memory.bytes();
    }

    /// Forgets all tokens from an index on.
    ///
    /// @param newLength at most [#length]
    public void truncate(int newLength) {
        if (newLength < 0 || newLength > length) {
            throw new IllegalArgumentException("a cache of %d tokens cannot be cut to %d".formatted(length, newLength));
        }
        length = newLength;
    }

    void grow(int tokens) {
        length += tokens;
    }

    Tensor layer(int index) {
        return layers.get(index);
    }

    @Override
    public void close() {
        memory.close();
    }
}
