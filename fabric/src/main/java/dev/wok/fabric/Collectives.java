package dev.wok.fabric;

import dev.wok.fabric.ExchangeLayout.Kind;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/// What all ranks do together, see [Fabric].
final class Collectives {
    private final Traffic traffic;

    Collectives(Traffic traffic) {
        this.traffic = traffic;
    }

    /// In each of log2(size) rounds a rank tells one that is twice as far as in the round before.
    void barrier() {
        for (int distance = 1; distance < traffic.size(); distance *= 2) {
            int to = (traffic.rank() + distance) % traffic.size();
            int from = (traffic.rank() - distance + traffic.size()) % traffic.size();
            Operation operation = new Operation(traffic, "barrier");
            traffic.begin(() -> {
                operation.send(new Outgoing.Bytes(Kind.BARRIER, MemorySegment.NULL), to);
                operation.receive(new Incoming.Bytes(Kind.BARRIER, traffic.peer(from), MemorySegment.NULL));
            });
            operation.await();
        }
    }

    byte[] broadcast(byte[] bytes, int root) {
        Operation operation = new Operation(traffic, "broadcast");
        if (traffic.rank() == root) {
            traffic.begin(() -> toOthers(operation, Kind.BROADCAST, MemorySegment.ofArray(bytes)));
            operation.await();
            return bytes;
        }
        Incoming.Unknown message = new Incoming.Unknown(Kind.BROADCAST, traffic.peer(root));
        traffic.begin(() -> operation.receive(message));
        operation.await();
        return message.bytes();
    }

    private void toOthers(Operation operation, Kind kind, MemorySegment bytes) {
        for (int peer = 0; peer < traffic.size(); peer++) {
            if (peer != traffic.rank()) {
                operation.send(new Outgoing.Bytes(kind, bytes), peer);
            }
        }
    }

    List<byte[]> allGather(byte[] mine) {
        List<Incoming.Unknown> messages = new ArrayList<>();
        Operation operation = new Operation(traffic, "gather");
        traffic.begin(() -> {
            toOthers(operation, Kind.GATHER, MemorySegment.ofArray(mine));
            for (int peer = 0; peer < traffic.size(); peer++) {
                if (peer != traffic.rank()) {
                    messages.add(new Incoming.Unknown(Kind.GATHER, traffic.peer(peer)));
                    operation.receive(messages.getLast());
                }
            }
        });
        operation.await();
        List<byte[]> all =
                new ArrayList<>(messages.stream().map(Incoming.Unknown::bytes).toList());
        all.add(traffic.rank(), mine);
        return all;
    }

    Transfer allGather(MemorySegment all, long[] bounds) {
        requireBounds(bounds, all.byteSize());
        MemorySegment mine = range(all, bounds, traffic.rank());
        Operation operation = new Operation(traffic, "gather");
        traffic.begin(() -> {
            if (mine.byteSize() > 0) {
                toOthers(operation, Kind.GATHER, mine);
            }
            for (int peer = 0; peer < traffic.size(); peer++) {
                MemorySegment theirs = range(all, bounds, peer);
                if (peer != traffic.rank() && theirs.byteSize() > 0) {
                    operation.receive(new Incoming.Bytes(Kind.GATHER, traffic.peer(peer), theirs));
                }
            }
        });
        return operation;
    }

    private static MemorySegment range(MemorySegment all, long[] bounds, int rank) {
        return all.asSlice(bounds[rank], bounds[rank + 1] - bounds[rank]);
    }

    private void requireBounds(long[] bounds, long bytes) {
        boolean ascending = bounds.length == traffic.size() + 1 && bounds[0] == 0;
        for (int rank = 0; ascending && rank < traffic.size(); rank++) {
            ascending = bounds[rank + 1] >= bounds[rank];
        }
        if (!ascending || bounds[traffic.size()] > bytes) {
            throw new IllegalArgumentException("bounds are %s, expected %d ascending from 0 to at most %d"
                    .formatted(Arrays.toString(bounds), traffic.size() + 1, bytes));
        }
    }

    Transfer reduceScatter(List<MemorySegment> parts, long[] bounds, MemorySegment sum) {
        if (parts.isEmpty()) {
            throw new IllegalArgumentException("no parts to sum, expected one at least on every rank");
        }
        long least = parts.stream().mapToLong(MemorySegment::byteSize).min().orElseThrow();
        requireBounds(bounds, least / Float.BYTES);
        Summing operation = new Summing(traffic, parts, bounds, sum);
        traffic.begin(operation::begin);
        return operation;
    }

    Transfer move(List<Passage> out, List<Passage> in, Urgency urgency) {
        Kind kind = switch (urgency) {
            case AT_ONCE -> Kind.POINT;
            case BEHIND -> Kind.MOVE;
        };
        Operation operation = new Operation(traffic, "move");
        traffic.begin(() -> {
            out.forEach(p -> operation.send(new Outgoing.Bytes(kind, p.bytes()), p.peer()));
            in.forEach(p -> operation.receive(new Incoming.Bytes(kind, traffic.peer(p.peer()), p.bytes())));
        });
        return operation;
    }

    void send(MemorySegment bytes, int to) {
        Operation operation = new Operation(traffic, "send");
        traffic.begin(() -> operation.send(new Outgoing.Bytes(Kind.POINT, bytes), to));
        operation.await();
    }

    void receive(MemorySegment bytes, int from) {
        Operation operation = new Operation(traffic, "receive");
        traffic.begin(() -> operation.receive(new Incoming.Bytes(Kind.POINT, traffic.peer(from), bytes)));
        operation.await();
    }
}
