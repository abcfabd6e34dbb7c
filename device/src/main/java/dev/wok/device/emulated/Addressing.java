package dev.wok.device.emulated;

import dev.wok.device.PtxFault;
import dev.wok.device.PtxFault.Kind;
import dev.wok.device.emulated.Listing.Space;

/// Finds what addresses belong to: the answers are in [Warp#region] and [Warp#offset].
final class Addressing {
    private Addressing() {}

    /// Finds what an address belongs to, and checks that all of an access lies in it.
    static void resolve(Warp warp, long address, long width, Space space, int lane) {
        switch (space) {
            case SHARED -> shared(warp, address & 0xFFFF_FFFFL, width, lane);
            case LOCAL -> local(warp, address, width, lane);
            case PARAM -> {
                // Parameters of calls lie in local memory.
                if (address >>> Warp.WINDOW_BITS == Warp.LOCAL_WINDOW >>> Warp.WINDOW_BITS) {
                    local(warp, address & (1L << Warp.WINDOW_BITS) - 1, width, lane);
                } else {
                    within(warp, warp.block.grid.parameters, address, width, lane);
                }
            }
            case GLOBAL, CONST -> global(warp, address, width, lane);
            case GENERIC -> {
                long inside = address & (1L << Warp.WINDOW_BITS) - 1;
                switch ((int) (address >>> Warp.WINDOW_BITS)) {
                    case 0 -> global(warp, address, width, lane);
                    case 1 -> shared(warp, inside, width, lane);
                    case 2 -> local(warp, inside, width, lane);
                    case 3 -> within(warp, warp.block.grid.parameters, inside, width, lane);
                    default -> throw outOfBounds(warp, address, width, lane, "no memory has such addresses");
                }
            }
        }
    }

    private static void global(Warp warp, long address, long width, int lane) {
        Region last = warp.block.grid.lastGlobal;
        if (address < last.base || address - last.base > last.size - width) {
            Region found = warp.block.grid.allocations.find(address);
            if (found == null) {
                throw outOfBounds(warp, address, width, lane, warp.block.grid.allocations.neighbours(address));
            }
            last = found;
            warp.block.grid.lastGlobal = found;
        }
        within(warp, last, address - last.base, width, lane);
    }

    private static void shared(Warp warp, long address, long width, int lane) {
        int rank = (int) (address >>> Warp.RANK_BITS);
        Block owner = rank == 0 ? warp.block : warp.block.cluster.block(rank - 1);
        if (owner == null) {
            throw outOfBounds(warp, address, width, lane, "the cluster has no block %d".formatted(rank - 1));
        }
        if (owner != warp.block && owner.liveThreads() == 0) {
            throw outOfBounds(warp, address, width, lane, "%s of the cluster has exited".formatted(owner.name()));
        }
        within(warp, owner.shared, (address & (1 << Warp.RANK_BITS) - 1) - Block.SHARED_FROM, width, lane);
    }

    private static void local(Warp warp, long address, long width, int lane) {
        long size = warp.code.localBytes();
        if (address < 0 || address > size - width) {
            throw outOfBounds(warp, address, width, lane, "a thread has %d bytes of local memory".formatted(size));
        }
        warp.region = warp.local;
        warp.offset = lane * size + address;
    }

    private static void within(Warp warp, Region found, long at, long width, int lane) {
        if (at < 0 || at > found.size - width) {
            throw outOfBounds(
                    warp,
                    found.base + at,
                    width,
                    lane,
                    "%s has %d bytes, and byte %d of it was asked for"
                            .formatted(found.name, found.size, at + width - 1));
        }
        warp.region = found;
        warp.offset = at;
    }

    private static PtxFault outOfBounds(Warp warp, long address, long width, int lane, String why) {
        return warp.fault(Kind.OUT_OF_BOUNDS, 1 << lane, "touch %d bytes at 0x%x: %s".formatted(width, address, why));
    }
}
