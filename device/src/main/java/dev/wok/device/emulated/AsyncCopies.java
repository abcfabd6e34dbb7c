package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import dev.wok.device.emulated.Listing.Name;
import dev.wok.device.emulated.Listing.Register;
import dev.wok.device.emulated.Listing.Space;
import org.jspecify.annotations.Nullable;

/// `cp.async`: small copies by each thread. What begins with `cp.async.bulk` is in [BulkCopies].
final class AsyncCopies {
    private AsyncCopies() {}

    static @Nullable Step decode(Call call) {
        if (call.take("reduce")) {
            call.need("async");
            call.need("bulk");
            return BulkCopies.reduction(call);
        }
        call.need("async");
        if (call.take("bulk")) {
            return BulkCopies.decode(call);
        }
        String what = call.need("ca", "cg", "commit_group", "wait_group", "wait_all", "mbarrier");
        return switch (what) {
            case "commit_group" -> {
                call.count(0);
                yield (warp, lanes) -> warp.asynchronous.commitCopies(lanes);
            }
            case "wait_all" -> {
                call.count(0);
                yield (warp, lanes) -> {
                    warp.asynchronous.commitCopies(lanes);
                    warp.asynchronous.waitCopies(lanes, 0);
                };
            }
            case "wait_group" -> {
                call.count(1);
                int open = (int) call.constant(0);
                yield (warp, lanes) -> warp.asynchronous.waitCopies(lanes, open);
            }
            case "mbarrier" -> arrive(call);
            default -> copy(call, what.equals("cg"));
        };
    }

    private static Step arrive(Call call) {
        call.need("arrive");
        boolean isCounted = call.take("noinc");
        Space named = Moves.space(call);
        Space space = named == null ? Space.GENERIC : named;
        call.type(Type.B64);
        call.count(1);
        Call.Place place = call.place(0, space);
        return (warp, lanes) -> {
            MBarrier[] barriers = new MBarrier[Warp.LANES];
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                barriers[lane] = MBarriers.find(warp, lane, place.at(warp, lane), space);
                if (!isCounted) {
                    barriers[lane].addPending(warp, lane);
                }
            }
            warp.asynchronous.arriveWithCopies(lanes, barriers);
        };
    }

    private static Step copy(Call call, boolean bypasses) {
        call.need("shared", "shared::cta");
        call.need("global");
        boolean hasPolicy = call.take("L2::cache_hint");
        call.takeOne("L2::64B", "L2::128B", "L2::256B");
        call.count(3, 5);
        Call.Place to = call.place(0, Space.SHARED);
        Call.Place from = call.place(1, Space.GLOBAL);
        int size = (int) call.constant(2);
        if (size != 16 && (bypasses || size != 4 && size != 8)) {
            throw call.error("cp.async copies 4, 8 or 16 bytes, with .cg 16 alone, not %d".formatted(size));
        }
        boolean hasSize = call.count() - (hasPolicy ? 1 : 0) > 3;
        boolean isFlag = hasSize
                && call.operand(3) instanceof Name(String name)
                && call.decoder().register(call.statement, name) instanceof Register register
                && register.type() == Type.PRED;
        Value sourceSize = hasSize && !isFlag ? call.read(3, Type.U32) : Value.of(size);
        Call.@Nullable Flag ignores = isFlag ? call.flag(call.operand(3)) : null;
        return (warp, lanes) -> {
            int ignored = ignores == null ? 0 : ignores.at(warp);
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                long wanted = sourceSize.at(warp, lane) & 0xFFFF_FFFFL;
                if (wanted > size) {
                    throw warp.fault(Kind.INVALID, 1 << lane, "read %d bytes to copy %d".formatted(wanted, size));
                }
                int read = (ignored >>> lane & 1) != 0 ? 0 : (int) wanted;
                byte[] data = new byte[size];
                if ((from.at(warp, lane) & size - 1) != 0) {
                    throw warp.fault(
                            Kind.MISALIGNED,
                            1 << lane,
                            "copy from address 0x%x, no multiple of %d".formatted(from.at(warp, lane), size));
                }
                if (read > 0) {
                    warp.resolveUnaligned(from.at(warp, lane), read, Space.GLOBAL, lane);
                    warp.requireWritten(read, lane);
                    warp.asynchronous.copyFrom(lane, read);
                    for (int i = 0; i < read; i++) {
                        data[i] = (byte) warp.region.get(warp.offset + i, 1);
                    }
                }
                warp.resolve(to.at(warp, lane), size, Space.SHARED, lane);
                warp.asynchronous.copy(lane, data);
            }
        };
    }
}
