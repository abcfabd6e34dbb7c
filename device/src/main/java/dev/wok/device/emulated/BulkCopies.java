package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import dev.wok.device.emulated.Listing.Address;
import dev.wok.device.emulated.Listing.Operand;
import dev.wok.device.emulated.Listing.Space;
import dev.wok.tensor.Copies;
import java.util.List;
import org.jspecify.annotations.Nullable;

/// `cp.async.bulk` and `cp.async.bulk.tensor`: large copies that one thread starts and the copy engine makes.
final class BulkCopies {
    private static final int ALIGNMENT = 16;
    private static final int TENSOR_ALIGNMENT = 128;

    private BulkCopies() {}

    static @Nullable Step decode(Call call) {
        if (call.take("commit_group")) {
            call.count(0);
            return (warp, lanes) -> warp.asynchronous.commitBulk(lanes);
        }
        if (call.take("wait_group")) {
            boolean readOnly = call.take("read");
            call.count(1);
            int open = (int) call.constant(0);
            return (warp, lanes) -> warp.asynchronous.waitBulk(lanes, open, readOnly);
        }
        if (call.take("prefetch")) {
            while (!call.peek().isEmpty()) {
                call.skip();
            }
            return (_, _) -> {};
        }
        if (call.take("tensor")) {
            return tensor(call, false);
        }
        return plain(call);
    }

    // ------------------------------------------------------------------------------------------------ ranges

    private static Step plain(Call call) {
        String to = call.need("shared::cluster", "shared::cta", "global");
        String from = call.need("global", "shared::cta");
        if (to.equals("global")) {
            call.need("bulk_group");
            call.take("L2::cache_hint");
            call.count(3, 4);
            return storeRange(call, null);
        }
        call.need("mbarrier::complete_tx::bytes");
        boolean isMulticast = call.take("multicast::cluster");
        call.take("L2::cache_hint");
        call.count(4, 6);
        return copyRange(call, from.equals("global") ? Space.GLOBAL : Space.SHARED, isMulticast, null);
    }

    /// @param operator that joins what is there with what comes, or null where it is overwritten
    private static Step copyRange(Call call, Space source, boolean isMulticast, @Nullable Reduction operator) {
        Call.Place into = call.place(0, Space.SHARED);
        Call.Place place = call.place(1, source);
        Value size = call.read(2, Type.U32);
        Call.Place barrier = call.place(3, Space.SHARED);
        Value mask = isMulticast ? call.read(4, Type.U16) : Value.of(0);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                int bytes = size(warp, lane, size);
                requireMultiple(warp, lane, place.at(warp, lane), ALIGNMENT);
                requireMultiple(warp, lane, into.at(warp, lane), ALIGNMENT);
                int blocks = isMulticast ? (int) mask.at(warp, lane) & 0xFFFF : 0;
                MBarrier first = first(warp, lane, barrier.at(warp, lane), blocks);
                warp.resolveUnaligned(place.at(warp, lane), bytes, source, lane);
                byte[] data = read(warp, lane, bytes, first);
                Copy copy = new Copy(into.at(warp, lane), barrier.at(warp, lane), data, Swizzle.NONE, operator);
                deliver(warp, lane, copy, blocks);
            }
        };
    }

    private static int size(Warp warp, int lane, Value size) {
        long bytes = size.at(warp, lane) & 0xFFFF_FFFFL;
        if (bytes == 0 || bytes % ALIGNMENT != 0 || bytes > MBarrier.MOST) {
            throw warp.fault(
                    Kind.INVALID,
                    1 << lane,
                    "copy %d bytes in bulk; a multiple of 16 is possible, up to %d".formatted(bytes, MBarrier.MOST));
        }
        return (int) bytes;
    }

    private static void requireMultiple(Warp warp, int lane, long address, int of) {
        if (address % of != 0) {
            throw warp.fault(Kind.MISALIGNED, 1 << lane, "use address 0x%x, no multiple of %d".formatted(address, of));
        }
    }

    /// Reads what the warp resolved, as the copy engine does.
    ///
    /// @param barrier at which others hear that this is over
    private static byte[] read(Warp warp, int lane, int bytes, MBarrier barrier) {
        requireWritten(warp, lane, bytes);
        warp.ordering.touch(warp.region, warp.offset, bytes, Races.ASYNC, barrier.who, barrier.phase() + 1, lane);
        return bytes(warp, bytes);
    }

    private static void requireWritten(Warp warp, int lane, int bytes) {
        if (!warp.region.isWritten(warp.offset, bytes)) {
            throw warp.fault(
                    Kind.UNINITIALIZED,
                    1 << lane,
                    "copy %d bytes from byte %d of %s, where nobody has written all"
                            .formatted(bytes, warp.offset, warp.region.name));
        }
    }

    private static byte[] bytes(Warp warp, int count) {
        return Copies.array(warp.region.bytes.asSlice(warp.offset, count));
    }

    /// @return the mbarrier of the first block that a copy goes to
    private static MBarrier first(Warp warp, int lane, long barrier, int mask) {
        long inBlock = (1L << Warp.RANK_BITS) - 1;
        long at =
                mask == 0 ? barrier : (Integer.numberOfTrailingZeros(mask) + 1L) << Warp.RANK_BITS | barrier & inBlock;
        return MBarriers.find(warp, lane, at, Space.SHARED);
    }

    /// Bytes on their way to shared memory.
    ///
    /// @param operator that joins what is there with what comes, or null where it is overwritten
    private record Copy(
            long into,
            long barrier,
            byte[] data,
            Swizzle swizzle,
            @Nullable Reduction operator) {
        void land(Region region, long offset) {
            if (operator != null) {
                operator.apply(region, offset, data, 0, data.length);
                return;
            }
            for (int i = 0; i < data.length; i++) {
                region.set(swizzle.apply(region.base + offset + i) - region.base, 1, data[i]);
            }
        }
    }

    /// Sends bytes to shared memory, of several blocks where a mask names them; they arrive when the mbarriers are
    /// asked.
    private static void deliver(Warp warp, int lane, Copy copy, int mask) {
        long inBlock = (1L << Warp.RANK_BITS) - 1;
        int bytes = copy.data.length;
        for (int rank = 0; rank < (mask == 0 ? 1 : 16); rank++) {
            if (mask != 0 && (mask >>> rank & 1) == 0) {
                continue;
            }
            long window = mask == 0 ? 0 : (rank + 1L) << Warp.RANK_BITS;
            long to = mask == 0 ? copy.into : window | copy.into & inBlock;
            long at = mask == 0 ? copy.barrier : window | copy.barrier & inBlock;
            MBarrier barrier = MBarriers.find(warp, lane, at, Space.SHARED);
            warp.resolveUnaligned(to, bytes, Space.SHARED, lane);
            Region region = warp.region;
            long offset = warp.offset;
            if (copy.operator != null) {
                warp.requireChangeable(bytes, lane);
            }
            int kind = Races.ASYNC | (copy.operator == null ? 0 : Races.STRONG);
            MBarriers.arriving(warp, lane, barrier, region, offset, bytes, kind);
            barrier.expectLanding(() -> {
                copy.land(region, offset);
                barrier.landed(bytes);
            });
        }
    }

    /// @param operator that joins what is there with what comes, or null where it is overwritten
    private static Step storeRange(Call call, @Nullable Reduction operator) {
        Call.Place into = call.place(0, Space.GLOBAL);
        Call.Place place = call.place(1, Space.SHARED);
        Value size = call.read(2, Type.U32);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                int bytes = size(warp, lane, size);
                requireMultiple(warp, lane, place.at(warp, lane), ALIGNMENT);
                requireMultiple(warp, lane, into.at(warp, lane), ALIGNMENT);
                warp.resolveUnaligned(place.at(warp, lane), bytes, Space.SHARED, lane);
                byte[] data = leave(warp, lane, bytes);
                warp.resolveUnaligned(into.at(warp, lane), bytes, Space.GLOBAL, lane);
                write(warp, lane, data, 0, bytes, operator);
            }
        };
    }

    /// Reads shared memory for a copy that is waited for in a group.
    private static byte[] leave(Warp warp, int lane, int bytes) {
        requireWritten(warp, lane, bytes);
        warp.asynchronous.touchInBulk(lane, bytes, 0);
        return bytes(warp, bytes);
    }

    /// Writes bytes to what the warp resolved.
    private static void write(Warp warp, int lane, byte[] data, int from, int bytes, @Nullable Reduction operator) {
        warp.asynchronous.touchInBulk(lane, bytes, Races.WRITE | (operator == null ? 0 : Races.STRONG));
        if (operator != null) {
            warp.requireChangeable(bytes, lane);
        }
        warp.region.markWritten(warp.offset, bytes);
        if (operator == null) {
            for (int i = 0; i < bytes; i++) {
                warp.region.set(warp.offset + i, 1, data[from + i]);
            }
        } else {
            operator.apply(warp.region, warp.offset, data, from, bytes);
        }
        warp.block.grid.progress();
    }

    // ------------------------------------------------------------------------------------------------ reductions

    private static final String[] OPERATORS = {"add", "min", "max", "inc", "dec", "and", "or", "xor"};

    /// `cp.reduce.async.bulk.global.shared::cta.bulk_group{.L2::cache_hint}.op{.noftz}.type`, the same into
    /// shared memory of the cluster with an mbarrier, and of tensors.
    static @Nullable Step reduction(Call call) {
        if (call.take("tensor")) {
            return tensor(call, true);
        }
        boolean isGlobal = call.need("global", "shared::cluster").equals("global");
        call.need("shared::cta");
        call.need(isGlobal ? "bulk_group" : "mbarrier::complete_tx::bytes");
        call.take("L2::cache_hint");
        String operator = call.need(OPERATORS);
        call.take("noftz");
        Type type = call.type();
        Reduction reduction = new Reduction(type, Updates.of(call, operator, type));
        call.count(isGlobal ? 3 : 4, 4);
        return isGlobal ? storeRange(call, reduction) : copyRange(call, Space.SHARED, false, reduction);
    }

    // ------------------------------------------------------------------------------------------------ tensors

    private static @Nullable Step tensor(Call call, boolean reduces) {
        int rank = Integer.parseInt(call.need("1d", "2d", "3d", "4d", "5d").substring(0, 1));
        String to = call.need("shared::cluster", "shared::cta", "global");
        if (to.equals("global")) {
            call.need("shared::cta");
            String operator = reduces ? call.need(OPERATORS) : null;
            call.take("tile");
            call.need("bulk_group");
            call.take("L2::cache_hint");
            call.count(2, 3);
            return storeTile(call, rank, operator);
        }
        call.need("global");
        call.take("tile");
        call.need("mbarrier::complete_tx::bytes");
        boolean isMulticast = call.take("multicast::cluster");
        call.takeOne("cta_group::1", "cta_group::2");
        call.take("L2::cache_hint");
        call.count(3, 5);
        Call.Place into = call.place(0, Space.SHARED);
        Call.Place map = call.place(1, Space.GENERIC);
        Value[] coordinates = coordinates(call, 1, rank);
        Call.Place barrier = call.place(2, Space.SHARED);
        Value mask = isMulticast ? call.read(3, Type.U16) : Value.of(0);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                TensorBytes tensor = map(warp, lane, map.at(warp, lane), rank);
                requireMultiple(warp, lane, into.at(warp, lane), TENSOR_ALIGNMENT);
                int blocks = isMulticast ? (int) mask.at(warp, lane) & 0xFFFF : 0;
                MBarrier first = first(warp, lane, barrier.at(warp, lane), blocks);
                byte[] data = new byte[tensor.tileBytes()];
                forEachRow(warp, lane, tensor, coordinates, (at, offset, bytes, rowBytes) -> {
                    fill(tensor, data, offset, rowBytes);
                    if (bytes > 0) {
                        warp.resolveUnaligned(at, bytes, Space.GLOBAL, lane);
                        System.arraycopy(
                                read(warp, lane, bytes, first),
                                0,
                                data,
                                offset + skipped(tensor, warp, lane, coordinates),
                                bytes);
                    }
                });
                Copy copy = new Copy(into.at(warp, lane), barrier.at(warp, lane), data, tensor.swizzle(), null);
                deliver(warp, lane, copy, blocks);
            }
        };
    }

    private static Value[] coordinates(Call call, int index, int rank) {
        if (!(call.operand(index) instanceof Address(Operand _, long _, List<Operand> given)) || given.size() != rank) {
            throw call.error("expected [map, {%d coordinates}]".formatted(rank));
        }
        return given.stream().map(c -> call.read(c, Type.S32, false)).toArray(Value[]::new);
    }

    private static TensorBytes map(Warp warp, int lane, long address, int rank) {
        requireMultiple(warp, lane, address & (1L << 56) - 1, 64);
        warp.resolveUnaligned(address, TensorBytes.BYTES, Space.GENERIC, lane);
        byte[] bytes = new byte[TensorBytes.BYTES];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) warp.region.get(warp.offset + i, 1);
        }
        TensorBytes tensor = TensorBytes.decode(bytes);
        if (tensor == null) {
            throw warp.fault(Kind.INVALID, 1 << lane, "name a tensor map where there is none");
        }
        if (tensor.rank() != rank) {
            throw warp.fault(
                    Kind.INVALID, 1 << lane, "use a map of %d dimensions as one of %d".formatted(tensor.rank(), rank));
        }
        return tensor;
    }

    private static void fill(TensorBytes tensor, byte[] data, int offset, int bytes) {
        if (tensor.fillsNan()) {
            java.util.Arrays.fill(data, offset, offset + bytes, (byte) 0xFF);
        }
    }

    /// A row of a tile.
    private interface Row {
        /// @param at where its first byte within the tensor lies in global memory
        /// @param offset of the row in the tile
        /// @param bytes of it within the tensor
        /// @param rowBytes of all of it
        void run(long at, int offset, int bytes, int rowBytes);
    }

    /// @return how many bytes of a row lie before the tensor
    private static int skipped(TensorBytes tensor, Warp warp, int lane, Value[] coordinates) {
        long first = (int) coordinates[0].at(warp, lane);
        return (int) Math.max(0, -first) * tensor.elementBytes();
    }

    private static void forEachRow(Warp warp, int lane, TensorBytes tensor, Value[] coordinates, Row row) {
        int rank = tensor.rank();
        int rowBytes = tensor.box()[0] * tensor.elementBytes();
        int rows = tensor.tileBytes() / rowBytes;
        long first = (int) coordinates[0].at(warp, lane);
        long from = Math.max(0, first);
        long to = Math.min(tensor.sizes()[0], first + tensor.box()[0]);
        for (int index = 0; index < rows; index++) {
            long at = tensor.address() + from * tensor.elementBytes();
            boolean isInside = to > from;
            int rest = index;
            for (int i = 1; i < rank; i++) {
                long position = (int) coordinates[i].at(warp, lane) + (long) (rest % tensor.box()[i]);
                rest /= tensor.box()[i];
                isInside &= position >= 0 && position < tensor.sizes()[i];
                at += position * tensor.strides()[i];
            }
            int bytes = isInside ? (int) (to - from) * tensor.elementBytes() : 0;
            row.run(at, index * rowBytes, bytes, rowBytes);
        }
    }

    private static Step storeTile(Call call, int rank, @Nullable String operator) {
        Call.Place map = call.place(0, Space.GENERIC);
        Value[] coordinates = coordinates(call, 0, rank);
        Call.Place from = call.place(1, Space.SHARED);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                int lane = Integer.numberOfTrailingZeros(rest);
                TensorBytes tensor = map(warp, lane, map.at(warp, lane), rank);
                Reduction reduction = operator == null
                        ? null
                        : new Reduction(tensor.type(), Updates.of(call, operator, tensor.type()));
                requireMultiple(warp, lane, from.at(warp, lane), TENSOR_ALIGNMENT);
                warp.resolveUnaligned(from.at(warp, lane), tensor.tileBytes(), Space.SHARED, lane);
                Region region = warp.region;
                long offset = warp.offset;
                byte[] tile = leave(warp, lane, tensor.tileBytes());
                byte[] data = new byte[tile.length];
                for (int i = 0; i < data.length; i++) {
                    long place = tensor.swizzle().apply(region.base + offset + i) - region.base - offset;
                    data[i] = tile[(int) place];
                }
                int skipped = skipped(tensor, warp, lane, coordinates);
                forEachRow(warp, lane, tensor, coordinates, (at, rowOffset, bytes, _) -> {
                    if (bytes > 0) {
                        warp.resolveUnaligned(at, bytes, Space.GLOBAL, lane);
                        write(warp, lane, data, rowOffset + skipped, bytes, reduction);
                    }
                });
            }
        };
    }
}
