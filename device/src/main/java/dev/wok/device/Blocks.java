package dev.wok.device;

import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;

/// Memory of one kind that is used again by whoever needs some next.
///
/// Any thread.
public final class Blocks implements AutoCloseable {
    private static final long SMALLEST = 1 << 12;

    private final Supplier<Memory> kind;
    private final List<Memory> owned = new ArrayList<>();
    private final List<Tensor> free = new ArrayList<>();

    /// @param kind makes memory, of which each block is all
    public Blocks(Supplier<Memory> kind) {
        this.kind = kind;
    }

    /// @return so many bytes or more, I8, with contents of whoever used them last
    public synchronized Tensor take(long bytes) {
        int best = -1;
        for (int i = 0; i < free.size(); i++) {
            long size = free.get(i).bytes();
            if (size >= bytes && (best < 0 || size < free.get(best).bytes())) {
                best = i;
            }
        }
        return best < 0 ? more(bytes) : free.remove(best);
    }

    /// Sizes double, so that a growing need leaves no more behind than it has.
    private Tensor more(long bytes) {
        long size = Math.max(SMALLEST, Long.highestOneBit(Math.max(1, bytes - 1)) << 1);
        owned.add(kind.get());
        return owned.getLast().tensor(DType.I8, size);
    }

    /// @param block that nobody uses any more
    public synchronized void giveBack(Tensor block) {
        free.add(block);
    }

    @Override
    public synchronized void close() {
        owned.forEach(Memory::close);
        owned.clear();
        free.clear();
    }
}
