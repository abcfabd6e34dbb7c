package dev.wok.fabric;

import dev.wok.device.Blocks;
import dev.wok.device.CudaException;
import dev.wok.device.Gpu;
import dev.wok.device.GpuStream;
import dev.wok.device.Memory;
import dev.wok.kernel.PeerRows;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.security.SecureRandom;
import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.jspecify.annotations.Nullable;

/// The GPUs of a group whose ranks see each other's memory: of one process as the driver's peers, of several by handles
/// of their memory. What goes between them the copy engines carry, while multiprocessors compute.
public final class GpuPeers implements AutoCloseable {
    /// GPUs of this process that are being introduced to each other.
    private static final Map<Long, Gpu> HERE = new ConcurrentHashMap<>();

    private static final AtomicLong NUMBERS = new AtomicLong();
    private static final long PROCESS = new SecureRandom().nextLong();
    private static final byte[] NO_HANDLE = new byte[BlockLayout.HANDLE];

    private final Gpu gpu;
    private final boolean[] isHere;
    private final PeerRows kernels;
    private final GpuStream copies;
    private final Blocks blocks;
    private final Map<Long, byte[]> handles = new HashMap<>();
    private final Map<String, Gpu.Import> imports = new HashMap<>();

    /// Blocks that others may still read.
    private final Deque<Operation> lent = new ArrayDeque<>();

    private GpuPeers(Gpu gpu, boolean[] isHere) {
        this.gpu = gpu;
        this.isHere = isHere;
        this.kernels = PeerRows.of(gpu);
        this.copies = gpu.newStream();
        this.blocks = new Blocks(gpu::memory);
    }

    /// What a rank says of its GPU.
    ///
    /// @param number of the GPU in its process
    /// @param handle of memory in which the number is
    private record Card(long process, long number, byte[] handle) {
        byte[] write() {
            return ByteBuffer.allocate(2 * Long.BYTES + handle.length)
                    .putLong(process)
                    .putLong(number)
                    .put(handle)
                    .array();
        }

        static Card read(byte[] bytes) {
            ByteBuffer buffer = ByteBuffer.wrap(bytes);
            Card card = new Card(buffer.getLong(), buffer.getLong(), new byte[buffer.remaining()]);
            buffer.get(card.handle);
            return card;
        }
    }

    /// Finds out, together with all ranks, whether all their GPUs see each other's memory.
    ///
    /// @param gpu this rank's, which stays the caller's
    /// @param payloads what rows travel as, the same on all ranks
    /// @return nothing where one does not see another's, or where GPUs do not round to a payload
    public static Optional<GpuPeers> of(Fabric fabric, Gpu gpu, Exchange.Payload... payloads) {
        if (!Arrays.stream(payloads).allMatch(PeerExchange::carries)) {
            return Optional.empty();
        }
        long number = NUMBERS.incrementAndGet();
        HERE.put(number, gpu);
        try (Memory probe = gpu.memory()) {
            Tensor said = probe.tensor(DType.I64, 1);
            gpu.upload(number(number), said);
            List<Card> cards = fabric.allGather(new Card(PROCESS, number, exported(gpu, said)).write()).stream()
                    .map(Card::read)
                    .toList();
            boolean[] isHere = new boolean[cards.size()];
            boolean sees = fabric.shape().beside(fabric.rank()) == fabric.size();
            for (int rank = 0; rank < isHere.length; rank++) {
                isHere[rank] = cards.get(rank).process == PROCESS;
                sees = sees && sees(gpu, cards.get(rank));
            }
            boolean all = fabric.allGather(new byte[] {(byte) (sees ? 1 : 0)}).stream()
                    .allMatch(one -> one[0] == 1);
            return all ? Optional.of(new GpuPeers(gpu, isHere)) : Optional.empty();
        } finally {
            HERE.remove(number);
        }
    }

    private static Tensor number(long number) {
        return Tensor.of(MemorySegment.ofArray(new long[] {number}), DType.I64, 1);
    }

    private static byte[] exported(Gpu gpu, Tensor tensor) {
        try {
            return gpu.export(tensor);
        } catch (CudaException _) {
            return NO_HANDLE;
        }
    }

    private static boolean sees(Gpu gpu, Card other) {
        try {
            return other.process == PROCESS ? reaches(gpu, HERE.get(other.number)) : opens(gpu, other);
        } catch (CudaException | IllegalArgumentException _) {
            return false;
        }
    }

    private static boolean reaches(Gpu gpu, @Nullable Gpu other) {
        if (other == null || other != gpu && !gpu.canReach(other)) {
            return false;
        }
        gpu.reach(other);
        return true;
    }

    private static boolean opens(Gpu gpu, Card other) {
        try (Gpu.Import opened = gpu.open(other.handle, DType.I64, 1)) {
            Tensor read = number(0);
            gpu.download(opened.tensor(), read);
            return read.memory().get(ExchangeLayout.LONG, 0) == other.number;
        }
    }

    Gpu gpu() {
        return gpu;
    }

    PeerRows kernels() {
        return kernels;
    }

    /// @return the stream of copies from other ranks
    GpuStream copies() {
        return copies;
    }

    /// @return memory of the GPU, each block of which other ranks can be told of
    Blocks blocks() {
        return blocks;
    }

    /// @param block one of [#blocks]
    /// @return what tells a rank of parts of it
    BlockLayout described(Tensor block, int rank, BlockLayout.Part... parts) {
        return new BlockLayout(
                block.memory().address(), block.bytes(), parts, isHere[rank] ? NO_HANDLE : handle(block));
    }

    private synchronized byte[] handle(Tensor block) {
        return handles.computeIfAbsent(block.memory().address(), _ -> gpu.export(block));
    }

    /// @return another rank's block, I8
    synchronized Tensor of(BlockLayout block, Peer peer) {
        if (isHere[peer.rank()]) {
            return Tensor.of(MemorySegment.ofAddress(block.address()), DType.I8, block.size());
        }
        return imports.computeIfAbsent(block.key(), _ -> open(block, peer)).tensor();
    }

    private Gpu.Import open(BlockLayout block, Peer peer) {
        try {
            return gpu.open(block.handle(), DType.I8, block.size());
        } catch (IllegalArgumentException e) {
            throw peer.sends("a block that cannot be opened: " + e.getMessage());
        }
    }

    /// Notes that others read a block until an operation is done.
    synchronized void lend(Operation operation) {
        lent.removeIf(before -> !before.travels());
        lent.add(operation);
    }

    private synchronized @Nullable Operation lent() {
        return lent.poll();
    }

    /// Waits until no rank reads this one's memory, and gives it back.
    @Override
    public void close() {
        try {
            for (Operation operation = lent(); operation != null; operation = lent()) {
                operation.await();
            }
        } catch (Departed _) {
            /* Who has gone reads nothing. */
        }
        copies.close();
        imports.values().forEach(Gpu.Import::close);
        imports.clear();
        blocks.close();
    }
}
