package dev.wok.fabric;

import dev.wok.device.Memory;
import dev.wok.device.Mirrors;
import dev.wok.fabric.BlockLayout.Part;
import dev.wok.fabric.ExchangeLayout.Kind;
import dev.wok.kernel.PeerRows;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.IntFunction;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// An exchange for tensors of GPUs that see each other's memory. The host counts, and what is a few bytes goes through
/// it; rows the GPU packs for each rank, the others' copy engines fetch them, and the GPU adds them up, to the bits of
/// [TokenExchange].
///
/// Payloads are float32 and bfloat16.
final class PeerExchange implements Exchange {
    private static final Part NOTHING = new Part(0, 0);

    /// What a kernel takes at once lies there as a whole.
    private static final long ALIGNMENT = 64;

    private final Desc desc;
    private final Traffic traffic;
    private final GpuPeers peers;
    private final PeerRows kernels;
    private final TokenExchange host;

    /// For what is a few bytes.
    private final MirroredExchange mirrored;

    private final DType tokens;
    private final DType sums;
    private final DType rows;

    /// @param host counts
    PeerExchange(Desc desc, Traffic traffic, GpuPeers peers, TokenExchange host, Mirrors mirrors) {
        this.desc = desc;
        this.traffic = traffic;
        this.peers = peers;
        this.kernels = peers.kernels();
        this.host = host;
        this.mirrored = new MirroredExchange(host, mirrors);
        tokens = type(desc.dispatch());
        sums = type(desc.combine());
        rows = type(desc.alone());
    }

    /// @return whether GPUs round to it
    static boolean carries(Payload payload) {
        return payload != Payload.FP8;
    }

    private static DType type(Payload payload) {
        return switch (payload) {
            case F32 -> DType.F32;
            case BF16 -> DType.BF16;
            case FP8 -> throw new IllegalArgumentException("GPUs exchange float32 and bfloat16, not " + payload);
        };
    }

    @Override
    public Route route(Tensor chosen, Tensor weights) {
        return mirrored.route(chosen, weights);
    }

    @Override
    public Arriving begin(Tensor chosen, Tensor weights, Tensor x, IntFunction<Tensor> room) {
        Route route = route(chosen, weights);
        Tensor arrivals = room.apply(route.arrivals());
        return new TokenExchange.Counted(route, arrivals, dispatch(route, x, arrivals));
    }

    /// Tensors in memory that goes back when the GPU has done what was asked of it until then.
    private final class Scratch {
        private final Tensor block;
        private long top;

        Scratch(long bytes) {
            block = peers.blocks().take(bytes);
        }

        static long bytes(DType dtype, long... shape) {
            return (Arrays.stream(shape).reduce(dtype.bytes(), (a, b) -> a * b) + ALIGNMENT - 1)
                    / ALIGNMENT
                    * ALIGNMENT;
        }

        Tensor tensor(DType dtype, long... shape) {
            long bytes = bytes(dtype, shape);
            Tensor tensor = Tensor.of(Memory.part(block.memory(), top, bytes), dtype, shape);
            top += bytes;
            return tensor;
        }

        /// @return these numbers, I32
        Tensor numbers(int[] numbers) {
            Tensor here = tensor(DType.I32, numbers.length);
            if (numbers.length > 0) {
                peers.gpu().upload(Tensor.of(numbers), here);
            }
            return here;
        }

        void giveBack() {
            peers.blocks().giveBack(block);
        }
    }

    /// Numbers that kernels read: lists one behind the other.
    private static final class Numbers {
        private final List<int[]> lists;

        Numbers(int[]... lists) {
            this.lists = List.of(lists);
        }

        /// @return the lists, I32, in memory of a scratch that has [#bytes] for them
        List<Tensor> upload(Scratch scratch) {
            Tensor here =
                    scratch.numbers(lists.stream().flatMapToInt(IntStream::of).toArray());
            List<Tensor> parts = new ArrayList<>();
            int from = 0;
            for (int[] list : lists) {
                parts.add(here.slice(0, from, from + list.length));
                from += list.length;
            }
            return parts;
        }

        long bytes() {
            return Scratch.bytes(
                    DType.I32, lists.stream().mapToLong(list -> list.length).sum());
        }
    }

    private static Tensor floats(Tensor bits) {
        return bits.elements() == 0 ? Tensor.of(new float[0]) : Tensor.of(bits.memory(), DType.F32, bits.dim(0));
    }

    /// @param rows of one dimension or more, contiguous
    private static Tensor bytes(Tensor rows, long from, long to) {
        Tensor part = rows.slice(0, from, to);
        return Tensor.of(part.memory(), DType.I8, part.bytes());
    }

    private static int[] together(int[][] lists, int except) {
        return IntStream.range(0, lists.length)
                .filter(i -> i != except)
                .flatMap(i -> Arrays.stream(lists[i]))
                .toArray();
    }

    /// @return `[lists + 1]`: where each begins among all of them, of which one has none
    private static int[] firsts(int[] counts, int except) {
        int[] firsts = new int[counts.length + 1];
        for (int i = 0; i < counts.length; i++) {
            firsts[i + 1] = firsts[i] + (i == except ? 0 : counts[i]);
        }
        return firsts;
    }

    private Routed routed(Route route) {
        if (route instanceof Routed routed && routed.owner() == host) {
            return routed;
        }
        throw new IllegalArgumentException("the route is another exchange's");
    }

    @Override
    public Transfer dispatch(Route route, Tensor x, Tensor arrivals) {
        Routed routed = routed(route);
        int rank = traffic.rank();
        int width = desc.hidden();
        int[][] leaving = routed.choices().tokensOf();
        int[] first = routed.arrived().first();
        Numbers numbers = new Numbers(together(leaving, rank), leaving[rank]);
        int[] counts = Arrays.stream(leaving).mapToInt(list -> list.length).toArray();
        int away = Arrays.stream(counts).sum() - counts[rank];
        Scratch out = new Scratch(Scratch.bytes(tokens, away, width) + numbers.bytes());
        Tensor packed = out.tensor(tokens, away, width);
        List<Tensor> lists = numbers.upload(out);
        kernels.gather(lists.get(0), x, packed);
        boolean rounds = tokens != DType.F32;
        @Nullable Scratch in = rounds ? new Scratch(Scratch.bytes(tokens, route.arrivals(), width)) : null;
        Tensor come = in == null ? arrivals : in.tensor(tokens, route.arrivals(), width);
        kernels.gather(lists.get(1), x, come.slice(0, first[rank], first[rank + 1]));

        PeerMove move = new PeerMove(peers, traffic, Kind.DISPATCH, out.block);
        int[] leavingFirst = firsts(counts, rank);
        List<PeerMove.Passing> all = new ArrayList<>();
        for (int peer = 0; peer < traffic.size(); peer++) {
            if (peer != rank) {
                Part[] there = {part(0, leavingFirst, peer, width * tokens.bytes()), NOTHING};
                Tensor here = bytes(come, first[peer], first[peer + 1]);
                all.add(new PeerMove.Passing(peer, there, new Tensor[] {here, here.slice(0, 0, 0)}));
            }
        }
        move.begin(all);
        return () -> {
            move.await();
            move.fetched();
            if (in != null) {
                kernels.widen(come, arrivals);
                in.giveBack();
            }
        };
    }

    /// Lists of what is packed for some ranks, one after the other.
    private static final class Packing {
        private final int[] sums;
        private final int[] terms;
        private final int[] weights;
        private final int[] alone;
        private int sumCount;
        private int termCount;
        private int aloneCount;

        /// @param most rows
        Packing(int most) {
            sums = new int[most + 1];
            terms = new int[most];
            weights = new int[most];
            alone = new int[most];
        }

        void add(int[] rows, Visits visits, boolean weighs) {
            for (int i = 0; i < rows.length; i++) {
                byte term = visits.terms()[i];
                if (Terms.isAlone(term)) {
                    alone[aloneCount++] = rows[i];
                    continue;
                }
                sumCount += term == Terms.BEGINS ? 1 : 0;
                weights[termCount] = Float.floatToRawIntBits(weighs ? visits.weights()[i] : 1);
                terms[termCount++] = rows[i];
                sums[sumCount] = termCount;
            }
        }

        Numbers numbers() {
            return new Numbers(
                    Arrays.copyOf(sums, sumCount + 1),
                    Arrays.copyOf(terms, termCount),
                    Arrays.copyOf(weights, termCount),
                    Arrays.copyOf(alone, aloneCount));
        }
    }

    /// What comes from each rank, by what becomes of it.
    ///
    /// @param sums `[ranks + 1]`: those of rank `r` begin at `sums[r]`
    /// @param rows likewise, of rows by themselves
    private record Firsts(int[] sums, int[] rows) {
        /// @param except a rank that has none, or -1
        static Firsts of(Visits[] visits, int except) {
            int[] sums = new int[visits.length];
            int[] rows = new int[visits.length];
            for (int rank = 0; rank < visits.length; rank++) {
                for (byte term : visits[rank].terms()) {
                    sums[rank] += term == Terms.BEGINS ? 1 : 0;
                    rows[rank] += Terms.isAlone(term) ? 1 : 0;
                }
            }
            return new Firsts(firsts(sums, except), firsts(rows, except));
        }
    }

    /// @return [PeerRows.Terms], in its order
    private Numbers terms(Choices choices, Firsts from, boolean weighs) {
        byte[] terms = choices.terms();
        int[] offsets = new int[choices.tokens() + 1];
        int[] places = new int[terms.length];
        int[] kinds = new int[terms.length];
        int[] weights = new int[terms.length];
        int[] nextSum = from.sums.clone();
        int[] nextRow = from.rows.clone();
        int count = 0;
        for (int due = 0, end; due < terms.length; due = end) {
            int rank = choices.ranks()[due];
            end = Terms.end(terms, due);
            if (Terms.isAlone(terms[due])) {
                int first = terms[due] == Terms.ALONE ? PeerRows.FIRST : 0;
                int apart = first | (Terms.isLast(terms, due) ? PeerRows.LAST : 0);
                kinds[count] = PeerRows.ROW | (desc.parts() == 1 ? PeerRows.DIRECT : apart);
                weights[count] = Float.floatToRawIntBits(weighs ? choices.weights()[due] : 1);
                places[count] = nextRow[rank]++;
            } else {
                places[count] = nextSum[rank]++;
            }
            offsets[due / desc.topK() + 1] = ++count;
        }
        return new Numbers(
                offsets, Arrays.copyOf(places, count), Arrays.copyOf(kinds, count), Arrays.copyOf(weights, count));
    }

    @Override
    public Results combine(Route route, Tensor results, boolean weighs) {
        return new Returning(routed(route), results, weighs);
    }

    /// Rows on their way home.
    private final class Returning implements Results {
        private final int width = desc.hidden();
        private final Scratch in;
        private final Tensor sumsHere;
        private final Tensor rowsHere;
        private final PeerRows.Terms terms;
        private final PeerMove move;
        private @Nullable Tensor y;

        Returning(Routed routed, Tensor results, boolean weighs) {
            int rank = traffic.rank();
            Arrivals arrived = routed.arrived();
            Packing own = new Packing(arrived.rowsOf()[rank].length);
            own.add(arrived.rowsOf()[rank], arrived.visits()[rank], weighs);
            Packing away = new Packing(routed.rows());
            for (int peer = 0; peer < traffic.size(); peer++) {
                if (peer != rank) {
                    away.add(arrived.rowsOf()[peer], arrived.visits()[peer], weighs);
                }
            }
            Firsts come = Firsts.of(routed.choices().visits(), -1);
            Numbers home = terms(routed.choices(), come, weighs);
            int sumCount = come.sums[traffic.size()];
            int rowCount = come.rows[traffic.size()];
            in = new Scratch(
                    Scratch.bytes(sums, sumCount, width) + Scratch.bytes(rows, rowCount, width) + home.bytes());
            sumsHere = in.tensor(sums, sumCount, width);
            rowsHere = in.tensor(rows, rowCount, width);
            List<Tensor> lists = home.upload(in);
            terms = new PeerRows.Terms(lists.get(0), lists.get(1), lists.get(2), floats(lists.get(3)));

            Numbers ownNumbers = own.numbers();
            Numbers awayNumbers = away.numbers();
            Scratch out = new Scratch(Scratch.bytes(sums, away.sumCount, width)
                    + Scratch.bytes(rows, away.aloneCount, width)
                    + ownNumbers.bytes()
                    + awayNumbers.bytes());
            Tensor sumsThere = out.tensor(sums, away.sumCount, width);
            long rowsFrom = out.top;
            Tensor rowsThere = out.tensor(rows, away.aloneCount, width);
            pack(awayNumbers.upload(out), results, sumsThere, rowsThere);
            pack(
                    ownNumbers.upload(out),
                    results,
                    sumsHere.slice(0, come.sums[rank], come.sums[rank + 1]),
                    rowsHere.slice(0, come.rows[rank], come.rows[rank + 1]));
            move = new PeerMove(peers, traffic, Kind.COMBINE, out.block);
            move.begin(passing(Firsts.of(arrived.visits(), rank), come, rowsFrom));
        }

        private void pack(List<Tensor> lists, Tensor results, Tensor sumsTo, Tensor rowsTo) {
            kernels.sum(lists.get(0), lists.get(1), floats(lists.get(2)), results, sumsTo);
            kernels.gather(lists.get(3), results, rowsTo);
        }

        /// @param leaving what this rank has packed
        /// @param rowsFrom where in its block rows by themselves begin
        private List<PeerMove.Passing> passing(Firsts leaving, Firsts come, long rowsFrom) {
            List<PeerMove.Passing> all = new ArrayList<>();
            for (int peer = 0; peer < traffic.size(); peer++) {
                if (peer != traffic.rank()) {
                    Part[] there = {
                        part(0, leaving.sums, peer, width * sums.bytes()),
                        part(rowsFrom, leaving.rows, peer, width * rows.bytes())
                    };
                    Tensor[] here = {
                        bytes(sumsHere, come.sums[peer], come.sums[peer + 1]),
                        bytes(rowsHere, come.rows[peer], come.rows[peer + 1])
                    };
                    all.add(new PeerMove.Passing(peer, there, here));
                }
            }
            return all;
        }

        @Override
        public void addTo(Tensor tokens) {
            y = tokens;
        }

        @Override
        public void await() {
            if (y == null) {
                throw new IllegalStateException("results have no tokens to be added to: call addTo before await");
            }
            move.await();
            move.fetched();
            kernels.add(terms, sumsHere, rowsHere, y);
            in.giveBack();
        }
    }

    private static Part part(long from, int[] firsts, int peer, long rowBytes) {
        return new Part(from + firsts[peer] * rowBytes, (firsts[peer + 1] - firsts[peer]) * rowBytes);
    }

    @Override
    public Transfer combineSlots(Route route, Tensor results, Tensor slots) {
        return mirrored.combineSlots(route, results, slots);
    }

    @Override
    public Transfer combineScalars(Route route, Tensor scalars, Tensor slots) {
        return mirrored.combineScalars(route, scalars, slots);
    }
}
