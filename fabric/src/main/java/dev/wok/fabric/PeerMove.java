package dev.wok.fabric;

import dev.wok.device.GpuEvent;
import dev.wok.device.GpuStream;
import dev.wok.fabric.BlockLayout.Part;
import dev.wok.fabric.ExchangeLayout.Kind;
import dev.wok.tensor.Copies;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/// Rows that ranks fetch from each other's GPUs. Who has packed rows for another says where they lie; the other copies
/// them and says when it has.
///
/* Nobody waits on the host meanwhile: messages go as soon as the GPU has done what they tell of, whoever moves what
 * travels. It is over when all copies have been asked for; what reads them waits for them on the GPU. */
final class PeerMove extends Operation {
    private final GpuPeers peers;
    private final Traffic traffic;
    private final Tensor block;
    private final GpuEvent packed;
    private final Lent lent;
    private final List<GpuEvent> copied = new ArrayList<>();

    /// What one rank has for another.
    ///
    /// @param there of this rank's block
    /// @param here where what comes from the other goes, two tensors of bytes
    record Passing(int rank, Part[] there, Tensor[] here) {
        private boolean leaves() {
            return there[0].bytes() + there[1].bytes() > 0;
        }

        private boolean comes() {
            return here[0].bytes() + here[1].bytes() > 0;
        }
    }

    /// @param block what leaves, packed by the GPU's stream before now; one of the peers' blocks, which goes
    ///     back to them when others have read it
    PeerMove(GpuPeers peers, Traffic traffic, Kind name, Tensor block) {
        super(traffic, name.toString());
        this.peers = peers;
        this.traffic = traffic;
        this.block = block;
        this.packed = peers.gpu().stream().record();
        this.lent = new Lent(traffic);
    }

    /// Says what goes where.
    void begin(List<Passing> all) {
        peers.copies().waitFor(packed);
        boolean travels = all.stream().anyMatch(passing -> passing.leaves() || passing.comes());
        traffic.begin(() -> {
            for (Passing passing : all) {
                if (passing.leaves()) {
                    MemorySegment message = peers.described(block, passing.rank(), passing.there())
                            .write();
                    send(new WhenDone(Kind.BLOCK, message, packed::isDone), passing.rank());
                    lent.receive(new Word(passing.rank()));
                }
                if (passing.comes()) {
                    Fetching fetching = new Fetching(passing);
                    receive(fetching);
                    lent.send(new WhenDone(Kind.MOVE, word(), fetching::isDone), passing.rank());
                }
            }
        });
        if (travels) {
            peers.lend(lent);
        } else {
            lent.arrived();
        }
    }

    /// Lets the GPU's stream wait for what has come. After [#await].
    void fetched() {
        boolean _ = traffic.guarded(() -> {
            copied.forEach(peers.gpu().stream()::waitFor);
            return true;
        });
    }

    private static MemorySegment word() {
        return MemorySegment.ofArray(new byte[Integer.BYTES]);
    }

    /// This rank's block, and what it has fetched, until all is read.
    private final class Lent extends Operation {
        Lent(Traffic traffic) {
            super(traffic, "copies of a GPU");
        }

        @Override
        void arrived() {
            peers.blocks().giveBack(block);
            packed.close();
            copied.forEach(GpuEvent::close);
            copied.clear();
        }
    }

    /// A message that waits for the GPU.
    private static final class WhenDone extends Outgoing {
        private final MemorySegment bytes;
        private final BooleanSupplier isDone;

        WhenDone(Kind kind, MemorySegment bytes, BooleanSupplier isDone) {
            super(kind, bytes.byteSize());
            this.bytes = bytes;
            this.isDone = isDone;
        }

        @Override
        int next(int room) {
            return isDone.getAsBoolean() ? (int) total : 0;
        }

        @Override
        void fill(MemorySegment frame, long at, int count) {
            Copies.bytes(bytes, 0, frame, at, count);
        }
    }

    /// A message of a few bytes, in one frame.
    private abstract class Small extends Incoming {
        private final int size;

        Small(Kind kind, int rank, int size) {
            super(kind, traffic.peer(rank));
            this.size = size;
        }

        @Override
        void begin(long bytes) {
            expect(bytes, size);
        }

        @Override
        int take(MemorySegment frame, long at, int count) {
            expect(count, size);
            read(frame.asSlice(at, count));
            return count;
        }

        abstract void read(MemorySegment message);
    }

    /// That another rank has read its part.
    private final class Word extends Small {
        Word(int rank) {
            super(Kind.MOVE, rank, Integer.BYTES);
        }

        @Override
        void read(MemorySegment message) {}
    }

    /// Where another rank's rows lie.
    private final class Fetching extends Small {
        private final Tensor[] here;
        private @Nullable GpuEvent done;

        Fetching(Passing passing) {
            super(Kind.BLOCK, passing.rank(), BlockLayout.BYTES);
            this.here = passing.here();
        }

        @Override
        void read(MemorySegment message) {
            BlockLayout block = BlockLayout.read(message, peer, here[0].bytes(), here[1].bytes());
            Tensor theirs = peers.of(block, peer);
            GpuStream copies = peers.copies();
            for (int i = 0; i < here.length; i++) {
                Part part = block.parts()[i];
                if (part.bytes() > 0) {
                    copies.copy(theirs.slice(0, part.from(), part.from() + part.bytes()), here[i]);
                }
            }
            done = copies.record();
            copied.add(done);
        }

        boolean isDone() {
            return done != null && done.isDone();
        }
    }
}
