package dev.wok.kernel;

import dev.wok.device.HostDevice;
import dev.wok.device.Workers;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Adds a token's rows to it as [Experts#combine] does, but in parts: those of one part's experts to zero, in the
/// order of the choices, and then each part's sum to the token, in the order of the parts. Ranks that hold
/// a part each, and send its sum, make the same bits.
///
/// On the host, in float32.
public final class PartSums {
    private static final int TOKENS_PER_TASK = 16;

    private final Workers workers;
    private final RowSums sums;
    private final int[] partOf;
    private final int parts;
    private final WeightedRows[] selected;
    private final MemorySegment[] apart;

    /// @param partOf `[experts]`: 0 or more
    /// @param width of a token
    public PartSums(HostDevice device, int[] partOf, int width) {
        workers = device.workers();
        sums = RowSums.of(device);
        this.partOf = partOf.clone();
        parts = Arrays.stream(partOf).max().orElse(-1) + 1;
        selected = new WeightedRows[workers.count()];
        Arrays.setAll(selected, _ -> new WeightedRows());
        apart = new MemorySegment[workers.count()];
        Arrays.setAll(apart, _ -> Arena.ofAuto().allocate((long) width * Float.BYTES, Long.BYTES));
    }

    /// @param rows `[tokens * topK, hidden]`
    /// @param slotRow `[tokens * topK]`, I32: the row of each slot
    /// @param chosen `[tokens, topK]`, I32: the expert of each slot
    /// @param weights `[tokens, topK]`, or null for ones
    /// @param y `[tokens, hidden]`, added to
    public void add(Tensor rows, Tensor slotRow, Tensor chosen, @Nullable Tensor weights, Tensor y) {
        int[] row = slotRow.toInts();
        int[] experts = chosen.toInts();
        float[] factors = weights == null ? null : weights.toFloats();
        int tokens = y.size(0);
        int topK = chosen.size(1);
        workers.run(Math.ceilDiv(tokens, TOKENS_PER_TASK), (task, worker) -> {
            WeightedRows some = selected[worker];
            for (int token = task * TOKENS_PER_TASK; token < Math.min(tokens, (task + 1) * TOKENS_PER_TASK); token++) {
                for (int part = 0; part < parts; part++) {
                    some.clear();
                    for (int slot = token * topK; slot < (token + 1) * topK; slot++) {
                        if (partOf[experts[slot]] == part) {
                            long at = row[slot] * rows.stride(0) * Float.BYTES;
                            some.add(at, factors == null ? 1 : factors[slot]);
                        }
                    }
                    if (some.size() > 0) {
                        sums.sum(rows.memory(), 0, some, y.size(1), apart[worker], 0);
                        sums.add(1, apart[worker], 0, y.size(1), y.memory(), token * y.stride(0) * Float.BYTES);
                    }
                }
            }
        });
    }
}
