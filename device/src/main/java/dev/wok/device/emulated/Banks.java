package dev.wok.device.emulated;

/// Counts how often shared memory is asked for one access of a warp: it has 32 banks of four bytes, and each gives one
/// word at a time. Wide accesses go in parts: 8 bytes by half warps, 16 bytes by quarters.
final class Banks {
    private static final int COUNT = 32;

    private final long[] addresses = new long[Warp.LANES];
    private final long[] asked = new long[COUNT];
    private int lanes;
    private boolean isShared;

    void begin() {
        lanes = 0;
        isShared = false;
    }

    /// Adds what a lane has resolved.
    void add(Warp warp, int lane) {
        if (warp.region == warp.block.shared) {
            isShared = true;
            addresses[lane] = warp.offset;
            lanes |= 1 << lane;
        }
    }

    /// @param width of a lane's access in bytes
    void end(Warp warp, int width) {
        if (!isShared) {
            return;
        }
        int at = Math.max(1, Math.min(4, width / 4));
        int part = Warp.LANES / at;
        int extra = 0;
        for (int from = 0; from < Warp.LANES; from += part) {
            int mask = part == Warp.LANES ? -1 : ((1 << part) - 1) << from;
            extra += isFree(lanes & mask, at) ? 0 : Math.max(0, rounds(lanes & mask, at) - 1);
        }
        warp.block.grid.counters.conflicts(
                warp.code.instructions().get(warp.pc()).line(), extra);
    }

    /// @return whether no bank is asked for two words: then there is nothing to count
    private boolean isFree(int some, int words) {
        int busy = 0;
        for (int rest = some; rest != 0; rest &= rest - 1) {
            long first = addresses[Integer.numberOfTrailingZeros(rest)] >>> 2;
            for (int i = 0; i < words; i++) {
                int bank = (int) (first + i) & COUNT - 1;
                if ((busy >>> bank & 1) != 0 && asked[bank] != first + i) {
                    return false;
                }
                busy |= 1 << bank;
                asked[bank] = first + i;
            }
        }
        return true;
    }

    /// @param words of each access
    private int rounds(int some, int words) {
        long[] seen = new long[COUNT * 4];
        int[] counts = new int[COUNT];
        int most = 0;
        for (int rest = some; rest != 0; rest &= rest - 1) {
            long first = addresses[Integer.numberOfTrailingZeros(rest)] >>> 2;
            for (int i = 0; i < words; i++) {
                long word = first + i;
                int bank = (int) (word % COUNT);
                boolean isNew = true;
                int known = Math.min(counts[bank], 4);
                for (int j = 0; j < known; j++) {
                    isNew &= seen[bank * 4 + j] != word;
                }
                if (isNew && counts[bank] >= 4) {
                    // Only the first words of a bank are remembered; the rest is looked up.
                    isNew = isFirst(some, rest, word, words);
                }
                if (isNew) {
                    if (counts[bank] < 4) {
                        seen[bank * 4 + counts[bank]] = word;
                    }
                    most = Math.max(most, ++counts[bank]);
                }
            }
        }
        return most;
    }

    private boolean isFirst(int some, int rest, long word, int words) {
        int before = some & ~rest;
        for (int lanesBefore = before; lanesBefore != 0; lanesBefore &= lanesBefore - 1) {
            long first = addresses[Integer.numberOfTrailingZeros(lanesBefore)] >>> 2;
            if (word >= first && word < first + words) {
                return false;
            }
        }
        return true;
    }
}
