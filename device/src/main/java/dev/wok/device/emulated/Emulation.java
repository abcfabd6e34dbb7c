package dev.wok.device.emulated;

import dev.wok.device.EmulatedGpu;
import dev.wok.device.Launch;
import dev.wok.device.PtxFault;
import dev.wok.device.PtxFault.Kind;
import dev.wok.device.TensorMap;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;

/// The emulated chip: global memory, and the launches on it, one at a time.
public final class Emulation {
    /// A block's shared memory, as on Hopper.
    public static final int MOST_SHARED = 227 * 1024;

    private static final int MOST_THREADS = 1024;

    private final Allocations allocations = new Allocations();
    private int launches;
    private volatile @Nullable Counters newest;

    /// Memory that programs may touch.
    public static final class Piece {
        private final Region region;

        private Piece(Region region) {
            this.region = region;
        }

        public long address() {
            return region.base;
        }

        public MemorySegment bytes() {
            return region.bytes.asSlice(0, region.size);
        }
    }

    /// A PTX text that was read.
    public static final class Program {
        private final Module module;

        private Program(Module module) {
            this.module = module;
        }

        /// @return the kernels' names, in the order of the text
        public List<String> kernels() {
            return module.names();
        }

        /// @return the text's `.target`
        public String target() {
            return module.listing().target();
        }

        /// @return address and size of a variable, or null
        public long @Nullable [] variable(String name) {
            Region region = module.variable(name);
            return region == null ? null : new long[] {region.base, region.size};
        }

        /// @return the sizes in bytes that a kernel's parameters have, by name in their order; null where there is no
        ///     such kernel
        public @Nullable Map<String, Integer> parameters(String kernel) {
            Code code = module.kernel(kernel);
            if (code == null) {
                return null;
            }
            Map<String, Integer> sizes = new java.util.LinkedHashMap<>();
            code.parameters().forEach((name, parameter) -> sizes.put(name, parameter.bytes()));
            return sizes;
        }

        /// @return what the text says of a kernel, or null where there is no such kernel
        public EmulatedGpu.@Nullable Kernel kernel(String name) {
            Code code = module.kernel(name);
            if (code == null) {
                return null;
            }
            List<EmulatedGpu.Kernel.Parameter> parameters = new ArrayList<>();
            for (Listing.Variable parameter : code.routine().parameters()) {
                parameters.add(new EmulatedGpu.Kernel.Parameter(
                        parameter.name(),
                        parameter.type().text(),
                        (int) parameter.bytes(),
                        parameter.bytes() != parameter.type().bytes()));
            }
            return new EmulatedGpu.Kernel(
                    List.copyOf(parameters),
                    sizes(code.routine().blockSize()),
                    code.routine().maxThreads(),
                    sizes(code.routine().cluster()),
                    code.sharedBytes(),
                    code.listing().variables().stream()
                            .anyMatch(each -> each.space() == Listing.Space.SHARED && each.bytes() == 0));
        }

        private static List<Integer> sizes(int @Nullable [] sizes) {
            return sizes == null
                    ? List.of()
                    : java.util.Arrays.stream(sizes).boxed().toList();
        }

        /// @return one line for each kernel: what it needs
        public List<String> describe() {
            List<String> lines = new ArrayList<>();
            for (Code code : module.kernels()) {
                lines.add("%s: %d instructions, %d registers declared, %d bytes shared, %d bytes local, parameters %s"
                        .formatted(
                                code.routine().name(),
                                code.instructions().size(),
                                code.slots(),
                                code.sharedBytes(),
                                code.localBytes(),
                                code.parameters().keySet()));
            }
            return lines;
        }

        public void close() {
            module.close();
        }
    }

    /// What a launch did.
    ///
    /// @param instructions of all warps
    /// @param bankConflicts by line: how many times more than needed shared memory was asked
    public record Report(long instructions, Map<Integer, Long> bankConflicts) {}

    /// @param isWritten whether its zeros count as written; else reading them is an error
    /// @param arena owns the bytes
    public Piece allocate(String name, long bytes, boolean isWritten, Arena arena) {
        return new Piece(allocations.allocate(name, bytes, isWritten, false, arena));
    }

    /// @return the address of so many bytes that belong to nothing
    public long reserve(long bytes) {
        return allocations.reserve(bytes);
    }

    /// Lets programs touch memory of this process at its own address.
    public Piece share(String name, MemorySegment memory) {
        return new Piece(allocations.share(name, memory));
    }

    public void free(Piece piece) {
        allocations.free(piece.region);
    }

    /// @return the instructions that the newest launch has executed up to now; any thread may ask
    public long executed() {
        Counters counters = newest;
        return counters == null ? 0 : counters.instructions;
    }

    /// @return the bytes at an address, or null where not all of them belong to one piece of memory
    public @Nullable MemorySegment find(long address, long bytes) {
        Region region = allocations.find(address);
        return region == null || address - region.base + bytes > region.size
                ? null
                : region.bytes.asSlice(address - region.base, bytes);
    }

    /// Lets another chip have these addresses. Once.
    public void close() {
        allocations.close();
    }

    /// Lets other memory have what an allocation has, and stand for it from now on. Nothing may use it meanwhile.
    ///
    /// @param address where the allocation begins
    public void move(long address, MemorySegment to) {
        Region region = allocations.find(address);
        if (region == null || region.base != address) {
            throw new IllegalArgumentException("nothing begins at 0x%x".formatted(address));
        }
        MemorySegment.copy(region.bytes, 0, to, 0, region.size);
        region.bytes = to;
    }

    /// Bytes that the host wrote count as written.
    public void markWritten(long address, long bytes) {
        Region region = allocations.find(address);
        if (region != null) {
            region.markWritten(address - region.base, bytes);
        }
    }

    /// @throws PtxFault where the text is wrong
    public Program load(String ptx) {
        return new Program(Module.load(ptx, allocations));
    }

    /// @return the bytes that stand for a tensor map in a kernel's parameters
    public static byte[] encode(TensorMap map) {
        if (map.elementStrides().stream().anyMatch(step -> step != 1)) {
            throw new IllegalArgumentException("the emulated GPU knows tensor maps with element strides of 1 only");
        }
        int rank = map.rank();
        long[] sizes = new long[rank];
        long[] strides = new long[rank];
        int[] box = new int[rank];
        for (int i = 0; i < rank; i++) {
            sizes[i] = map.sizes().get(i);
            strides[i] = i == 0 ? map.type().bytes() : map.strides().get(i - 1);
            box[i] = map.box().get(i);
        }
        return new TensorBytes(
                        Type.of(map.type()),
                        map.address(),
                        sizes,
                        strides,
                        box,
                        Swizzle.values()[map.swizzle().ordinal()],
                        map.fill() == TensorMap.Fill.NAN)
                .encode();
    }

    /// Runs a kernel to its end.
    ///
    /// @param values for each parameter its bytes
    /// @throws PtxFault at the first thing that is wrong
    public synchronized Report launch(Program program, String kernel, Launch launch, List<byte[]> values) {
        Code code = program.module.kernel(kernel);
        if (code == null) {
            throw new IllegalArgumentException("no kernel %s, there are %s".formatted(kernel, program.kernels()));
        }
        int[] block = {launch.blockX(), launch.blockY(), launch.blockZ()};
        int[] cluster = {launch.clusterX(), launch.clusterY(), launch.clusterZ()};
        requireFit(code, launch, block, cluster);
        Region parameters =
                new Region("the parameters", Warp.PARAM_WINDOW, code.parameterBytes(), bytes(code, values), true, true);
        Grid grid = new Grid(
                code,
                allocations,
                parameters,
                ++launches,
                new int[] {launch.gridX(), launch.gridY(), launch.gridZ()},
                block,
                code.routine().cluster() == null ? cluster : code.routine().cluster(),
                launch.sharedBytes());
        newest = grid.counters;
        grid.run();
        return new Report(grid.counters.instructions, new TreeMap<>(grid.counters.bankConflicts));
    }

    private static MemorySegment bytes(Code code, List<byte[]> values) {
        List<Code.Parameter> parameters = new ArrayList<>(code.parameters().values());
        if (parameters.size() != values.size()) {
            throw new IllegalArgumentException("%s takes %d arguments %s, not %d"
                    .formatted(
                            code.routine().name(),
                            parameters.size(),
                            code.parameters().keySet(),
                            values.size()));
        }
        ByteBuffer all = ByteBuffer.allocate(code.parameterBytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < parameters.size(); i++) {
            if (values.get(i).length != parameters.get(i).bytes()) {
                throw new IllegalArgumentException("%s: parameter %s has %d bytes, the argument %d"
                        .formatted(
                                code.routine().name(),
                                parameters.get(i).name(),
                                parameters.get(i).bytes(),
                                values.get(i).length));
            }
            all.put(parameters.get(i).offset(), values.get(i));
        }
        return MemorySegment.ofArray(all.array());
    }

    private static void requireFit(Code code, Launch launch, int[] block, int[] cluster) {
        String name = code.routine().name();
        int threads = block[0] * block[1] * block[2];
        int[] demanded = code.routine().blockSize();
        if (demanded != null && !java.util.Arrays.equals(demanded, block)) {
            throw invalid(name, "the text demands blocks of %s (.reqntid), not %s", text(demanded), text(block));
        }
        if (code.routine().maxThreads() > 0 && threads > code.routine().maxThreads() || threads > MOST_THREADS) {
            throw invalid(
                    name,
                    "blocks of %d threads are more than the text allows (.maxntid %d)",
                    threads,
                    code.routine().maxThreads());
        }
        int[] demandedCluster = code.routine().cluster();
        if (demandedCluster != null
                && launch.clusterBlocks() > 1
                && !java.util.Arrays.equals(demandedCluster, cluster)) {
            throw invalid(
                    name,
                    "the text demands clusters of %s (.reqnctapercluster), not %s",
                    text(demandedCluster),
                    text(cluster));
        }
        int[] runs = demandedCluster == null ? cluster : demandedCluster;
        int[] grid = {launch.gridX(), launch.gridY(), launch.gridZ()};
        long blocks = 1;
        for (int axis = 0; axis < 3; axis++) {
            blocks *= grid[axis];
            if (grid[axis] % runs[axis] != 0) {
                throw invalid(name, "a grid of %s blocks is not one of whole clusters of %s", text(grid), text(runs));
            }
        }
        if (blocks > Integer.MAX_VALUE) {
            throw invalid(name, "a grid of %d blocks is more than the emulator runs", blocks);
        }
        long shared = (long) code.sharedBytes() + launch.sharedBytes();
        if (shared > MOST_SHARED) {
            throw invalid(name, "%d bytes of shared memory are more than %d", shared, MOST_SHARED);
        }
    }

    private static PtxFault invalid(String kernel, String what, Object... values) {
        return new PtxFault(Kind.INVALID, 0, "", "%s: %s.".formatted(kernel, what.formatted(values)));
    }

    private static String text(int[] sizes) {
        return sizes[0] + "x" + sizes[1] + "x" + sizes[2];
    }
}
