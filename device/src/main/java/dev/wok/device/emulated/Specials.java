package dev.wok.device.emulated;

import java.util.Map;
import java.util.TreeMap;
import java.util.function.ToLongBiFunction;
import org.jspecify.annotations.Nullable;

/// The registers in which a thread finds out who it is, such as `%tid.x`.
final class Specials {
    /// @param value by warp and lane
    /// @param isFixed whether it never changes while a thread runs
    record Special(Type type, boolean isFixed, ToLongBiFunction<Warp, Integer> value) {}

    private static final Map<String, Special> ALL = new TreeMap<>();

    static {
        for (int i = 0; i < 3; i++) {
            int axis = i;
            String part = "." + "xyz".charAt(i);
            fixed("%tid" + part, (w, l) -> w.block.grid.threadIndex(w.index * Warp.LANES + l, axis));
            fixed("%ntid" + part, (w, _) -> w.block.grid.blockSize(axis));
            fixed("%ctaid" + part, (w, _) -> axis == 0 ? w.block.x : axis == 1 ? w.block.y : w.block.z);
            fixed("%nctaid" + part, (w, _) -> w.block.grid.gridSize(axis));
            fixed("%clusterid" + part, (w, _) -> w.block.index(axis) / w.block.grid.clusterSize(axis));
            fixed("%nclusterid" + part, (w, _) -> w.block.grid.gridSize(axis) / w.block.grid.clusterSize(axis));
            fixed("%cluster_ctaid" + part, (w, _) -> w.block.index(axis) % w.block.grid.clusterSize(axis));
            fixed("%cluster_nctaid" + part, (w, _) -> w.block.grid.clusterSize(axis));
        }
        fixed("%laneid", (_, l) -> l);
        fixed("%warpid", (w, _) -> w.index);
        fixed("%nwarpid", (w, _) -> w.block.warps.length);
        fixed("%smid", (w, _) -> w.block.cluster.id % 132);
        fixed("%nsmid", (_, _) -> 132);
        fixed("%gridid", (_, _) -> 1);
        fixed("%cluster_ctarank", (w, _) -> w.block.rank);
        fixed("%cluster_nctarank", (w, _) -> w.block.cluster.blocks.size());
        fixed("%lanemask_eq", (_, l) -> 1L << l);
        fixed("%lanemask_lt", (_, l) -> (1L << l) - 1);
        fixed("%lanemask_le", (_, l) -> (2L << l) - 1);
        fixed("%lanemask_ge", (_, l) -> 0xFFFF_FFFFL & ~((1L << l) - 1));
        fixed("%lanemask_gt", (_, l) -> 0xFFFF_FFFFL & ~((2L << l) - 1));
        fixed("%dynamic_smem_size", (w, _) -> w.block.grid.dynamicBytes());
        fixed("%total_smem_size", (w, _) -> w.block.grid.sharedBytes());
        fixed("%aggr_smem_size", (w, _) -> w.block.grid.sharedBytes());
        changing("%clock", Type.U32, w -> w.block.grid.counters.instructions);
        changing("%clock_hi", Type.U32, w -> w.block.grid.counters.instructions >>> 32);
        changing("%clock64", Type.U64, w -> w.block.grid.counters.instructions);
        changing("%globaltimer", Type.U64, w -> w.block.grid.counters.instructions);
        changing("%globaltimer_lo", Type.U32, w -> w.block.grid.counters.instructions);
        changing("%globaltimer_hi", Type.U32, w -> w.block.grid.counters.instructions >>> 32);
    }

    private Specials() {}

    private interface OfLane {
        long value(Warp warp, int lane);
    }

    private interface OfWarp {
        long value(Warp warp);
    }

    private static void fixed(String name, OfLane value) {
        ALL.put(name, new Special(Type.U32, true, value::value));
    }

    private static void changing(String name, Type type, OfWarp value) {
        ALL.put(name, new Special(type, false, (w, _) -> value.value(w)));
    }

    static @Nullable Special of(String name) {
        return ALL.get(name);
    }

    /// Puts their values into the registers that the code reads them from.
    static void fill(Warp warp) {
        warp.code.specials().forEach((name, register) -> {
            Special special = ALL.get(name);
            for (int lane = 0; lane < Warp.LANES && special != null; lane++) {
                warp.registers[register.slot() << 5 | lane] = special.value.applyAsLong(warp, lane);
            }
        });
    }
}
