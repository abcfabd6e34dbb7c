package dev.wok.device.cuda;

import dev.wok.tensor.Tensor;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.function.IntPredicate;
import org.jspecify.annotations.Nullable;

/// The memory that GPUs of this process may touch, by address: GPUs and pinned memory of the host share
/// one address space.
final class Addresses {
    /// Pinned memory belongs to no GPU.
    static final int HOST = -1;

    /// A piece of memory.
    ///
    /// @param gpu its index, or [#HOST]
    /// @param exportable whether other processes can open it
    record Block(long address, long bytes, int gpu, boolean exportable) {}

    private final ConcurrentSkipListMap<Long, Block> blocks = new ConcurrentSkipListMap<>();

    void add(Block block) {
        blocks.put(block.address, block);
    }

    void remove(long address) {
        blocks.remove(address);
    }

    /// @return the piece that begins at an address
    @Nullable
    Block at(long address) {
        return blocks.get(address);
    }

    /// Requires memory to lie within one open piece.
    ///
    /// @param what for the message: who asks, and about what
    /// @param reachable which GPUs' memory will do
    void require(String what, Object value, long address, long bytes, IntPredicate reachable) {
        Map.Entry<Long, Block> below = blocks.floorEntry(address);
        Block block = below == null ? null : below.getValue();
        if (block == null || address + bytes > block.address + block.bytes) {
            throw new IllegalArgumentException(
                    "%s: %s at 0x%x, %d bytes, lies in no open memory of a GPU and not in pinned memory: upload it, or"
                                    .formatted(what, value, address, bytes)
                            + " take it from memory() or pinned()");
        }
        if (block.gpu != HOST && !reachable.test(block.gpu)) {
            throw new IllegalArgumentException(
                    "%s: %s lies in memory of GPU %d, which this one does not reach: call reach() first"
                            .formatted(what, value, block.gpu));
        }
    }

    /// As [#require(String, Object, long, long, IntPredicate)], for the elements of a tensor.
    void require(String what, Tensor tensor, IntPredicate reachable) {
        if (!tensor.memory().isNative()) {
            throw new IllegalArgumentException(
                    "%s: %s lies in a Java array: upload it, or take it from pinned()".formatted(what, tensor));
        }
        if (tensor.elements() != 0) {
            require(what, tensor, tensor.memory().address(), tensor.extent(), reachable);
        }
    }
}
