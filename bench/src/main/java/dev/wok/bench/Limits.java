package dev.wok.bench;

import dev.wok.bench.Loops.Kind;
import dev.wok.bench.Loops.Products;
import dev.wok.bench.Loops.Traffic;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Processor;
import dev.wok.kernel.Processor.InstructionSet;
import dev.wok.notice.BadInput;
import java.lang.foreign.MemorySegment;
import java.util.EnumMap;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// The limits of this machine, on all of a device's threads at once; each the best of a few tries.
/// Work is handed out in many pieces, as kernels do it, so a thread that is held up does not hold up
/// the others.
final class Limits {
    private static final int TRIES = 3;
    private static final int PIECES_PER_THREAD = 8;

    /// Some hundred microseconds of work.
    private static final int ROUNDS = 4096;

    /// Of each stream at a time.
    private static final long PIECE_BYTES = 4 << 20;

    /// Streams that lie a multiple of a page apart would meet in the same lines of the first cache.
    private static final long SKEW = 17L * 64;

    private static final long SINK_BYTES = 256;

    private final HostDevice device;
    private final Loops loops;
    private final long bytes;
    private final Map<Kind, Limit> products = new EnumMap<>(Kind.class);
    private final Map<Mix, Limit> traffic = new HashMap<>();
    private final MemorySegment sinks;
    private MemorySegment memory = MemorySegment.NULL;

    private Limits(HostDevice device, Loops loops, long bytes) {
        this.device = device;
        this.loops = loops;
        this.bytes = bytes;
        sinks = device.scratch(SINK_BYTES * device.workers().count());
    }

    /// The limits of the instruction set that is used here, or of the most that there is where the Vector API is asked
    /// for.
    ///
    /// @param bytes of memory that bandwidth is measured over: more than all caches hold
    /// @throws BadInput on a processor for which there is no machine code, in a Java process without the Vector API
    static Limits of(HostDevice device, Processor processor, long bytes) {
        return new Limits(device, loops(device, processor), bytes);
    }

    /// @throws BadInput on a processor for which there is no machine code, in a Java process without the Vector API
    static Loops loops(HostDevice device, Processor processor) {
        Optional<InstructionSet> isa = processor.used().or(processor::best);
        if (isa.isPresent()) {
            return new MachineLoops(device, isa.get());
        }
        if (ModuleLayer.boot().findModule("jdk.incubator.vector").isEmpty()) {
            throw new BadInput("the limits of this processor are measured through the Vector API: start Java with"
                    + " --add-modules jdk.incubator.vector (the wok launcher does).");
        }
        return new VectorLoops();
    }

    boolean has(Kind kind) {
        return loops.has(kind);
    }

    /// @return GFLOP/s or GOP/s in registers, of the next simpler kind where the processor has none of this
    Limit products(Kind kind) {
        return products.computeIfAbsent(loops.has(kind) ? kind : Kind.FLOATS, this::measured);
    }

    private Limit measured(Kind kind) {
        Products loop = loops.products(kind);
        int pieces = PIECES_PER_THREAD * device.workers().count();
        return new Limit("%s, %s".formatted(loop.text(), threads()), () -> {
            double best = 0;
            for (int i = 0; i < TRIES; i++) {
                long begin = System.nanoTime();
                device.workers()
                        .run(pieces, (_, worker) -> loop.run(sinks.asSlice(worker * SINK_BYTES, SINK_BYTES), ROUNDS));
                best = Math.max(best, loop.operations() * ROUNDS * pieces / (System.nanoTime() - begin));
            }
            return best;
        });
    }

    /// @return GB/s from and to memory
    Limit memory(Mix mix) {
        return traffic.computeIfAbsent(mix, this::measured);
    }

    private Limit measured(Mix mix) {
        long stream = bytes / mix.streams() / Traffic.UNIT * Traffic.UNIT;
        long distance = stream + SKEW;
        int pieces = Math.toIntExact((stream + PIECE_BYTES - 1) / PIECE_BYTES);
        double moved = (double) stream * (mix.reads() + mix.writes());
        List<Traffic> ways = loops.traffic(mix);
        return new Limit("%s, %s".formatted(mix.text(), threads()), () -> {
            MemorySegment buffer = buffer();
            double best = 0;
            for (int i = 0; i < TRIES - 1; i++) {
                for (Traffic way : ways) {
                    long begin = System.nanoTime();
                    device.workers().run(pieces, (piece, _) -> {
                        long from = piece * PIECE_BYTES;
                        way.run(buffer, distance, from, Math.min(stream, from + PIECE_BYTES));
                    });
                    best = Math.max(best, moved / (System.nanoTime() - begin));
                }
            }
            return best;
        });
    }

    /// Memory that was written once: pages that nobody wrote to are all one page, which the cache holds.
    private MemorySegment buffer() {
        if (memory.byteSize() == 0) {
            MemorySegment fresh = device.scratch(bytes + 4 * SKEW);
            int pieces = Math.toIntExact((fresh.byteSize() + PIECE_BYTES - 1) / PIECE_BYTES);
            device.workers().run(pieces, (piece, _) -> {
                long from = piece * PIECE_BYTES;
                fresh.asSlice(from, Math.min(PIECE_BYTES, fresh.byteSize() - from))
                        .fill((byte) 1);
            });
            memory = fresh;
        }
        return memory;
    }

    private String threads() {
        int count = device.workers().count();
        return "%d thread%s".formatted(count, count == 1 ? "" : "s");
    }
}
