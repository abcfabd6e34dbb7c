package dev.wok.train;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.Memory;
import dev.wok.device.Mirrors;
import dev.wok.device.Mirrors.Mirror;
import dev.wok.fabric.Departed;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Placement;
import dev.wok.fabric.Serving;
import dev.wok.fabric.Transfer;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.Kernels;
import dev.wok.model.Flat;
import dev.wok.model.Model;
import dev.wok.model.Parameter;
import dev.wok.model.Training;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.stream.LongStream;

/// AdamW on a model that ranks share (ZeRO-1; S. Rajbhandari et al., 2020): of what all have alike each rank moves the
/// elements of its range, for which it alone has moments, and gives them to the others; experts' moments lie with the
/// experts. Sums go in one order whatever the number of ranks.
final class SharedDescent implements Descent {
    /// Where a parameter's moments are.
    ///
    /// @param shape of the parameter in the whole model
    /// @param ranges in the order of the elements
    /// @param mean this rank's elements, one dimension
    /// @param meanSquare likewise
    private record Slice(String name, long[] shape, List<Range> ranges, Tensor mean, Tensor meanSquare) {}

    /// Elements `from` to `to` of a parameter.
    ///
    /// @param rank has them
    /// @param at the first one among that rank's elements
    private record Range(int rank, long from, long to, long at) {
        Tensor of(Tensor whole) {
            return whole.reshape(whole.elements()).slice(0, from, to);
        }

        Tensor among(Tensor mine) {
            return mine.slice(0, at, at + to - from);
        }
    }

    /// One of a [Slice]'s two tensors, as it is written.
    private record Moment(Slice slice, Tensor mine) {}

    private final Model model;
    private final Fabric fabric;
    private final Kernels kernels;
    private final Optimizer.Constants constants;
    private final Flat flat;
    private final List<Parameter> experts;
    private final Device device;
    private final Memory memory;
    private final DryDevice dry = Device.dry();

    /// `[ranks + 1]`: whose elements of the flat weights are whose.
    private final long[] bounds;

    private final Tensor means;
    private final Tensor meanSquares;
    private final List<Tensor> expertMeans = new ArrayList<>();
    private final List<Tensor> expertMeanSquares = new ArrayList<>();
    private final ExpertMoves moves;
    private final Tensor normAndClip;

    private final Mirrors mirrors;

    /// Under way since [#finished].
    private final List<Sum> sums = new ArrayList<>();

    /// @param parts of the gradients, the first of which becomes what they add up to where that is this rank's
    private record Sum(Transfer transfer, List<Mirror> parts) {
        void await() {
            transfer.await();
            parts.getFirst().write();
            parts.forEach(Mirror::close);
        }
    }

    SharedDescent(Model model, Optimizer.Constants constants) {
        this.model = model;
        fabric = model.fabric();
        kernels = model.kernels();
        this.constants = constants;
        flat = model.flat();
        experts = model.expertParameters();
        device = kernels.stream().device();
        memory = device.memory();
        mirrors = new Mirrors(device);
        bounds = ranges(flat.values().elements(), fabric.size());
        means = memory.tensor(DType.F32, to() - from());
        meanSquares = memory.tensor(DType.F32, to() - from());
        List<ExpertMoves.Kept> kept = new ArrayList<>();
        for (Parameter expert : experts) {
            expertMeans.add(memory.tensor(DType.F32, expert.value().shape()));
            expertMeanSquares.add(memory.tensor(DType.F32, expert.value().shape()));
            kept.add(new ExpertMoves.Kept(expert, expertMeans.getLast(), expertMeanSquares.getLast()));
        }
        moves = new ExpertMoves(model, kept, mirrors);
        normAndClip = memory.tensor(DType.F32, 2);
    }

    /// Ranges of whole blocks, as equal as they can be.
    ///
    /// @return `[ranks + 1]`, ascending from 0 to `elements`
    static long[] ranges(long elements, int ranks) {
        long blocks = Math.ceilDiv(elements, AdamW.BLOCK);
        return LongStream.rangeClosed(0, ranks)
                .map(rank -> Math.min(elements, blocks * rank / ranks * AdamW.BLOCK))
                .toArray();
    }

    private long from() {
        return bounds[fabric.rank()];
    }

    private long to() {
        return bounds[fabric.rank() + 1];
    }

    /// @return as experts lie now
    private List<Slice> slices() {
        Map<String, Long> begins = new HashMap<>();
        flat.pieces().forEach(piece -> begins.put(piece.parameter().name(), piece.from()));
        List<Slice> all = new ArrayList<>();
        int experts = 0;
        for (Parameter parameter : model.parameters()) {
            Long begin = begins.get(parameter.name());
            all.add(begin != null ? alike(parameter, begin) : expert(parameter, experts++));
        }
        return all;
    }

    private Slice alike(Parameter parameter, long begin) {
        long elements = parameter.value().elements();
        List<Range> ranges = new ArrayList<>();
        for (int rank = 0; rank < fabric.size(); rank++) {
            long first = Math.clamp(bounds[rank] - begin, 0, elements);
            long last = Math.clamp(bounds[rank + 1] - begin, 0, elements);
            if (first < last) {
                ranges.add(new Range(rank, first, last, begin + first - bounds[rank]));
            }
        }
        return new Slice(parameter.name(), parameter.value().shape(), ranges, means, meanSquares);
    }

    /// @param place in the list of experts' parameters
    private Slice expert(Parameter parameter, int place) {
        Placement placement = model.placements().get(place / ExpertMoves.PARAMETERS);
        long[] shape = parameter.value().shape();
        long each = Shape.elements(shape) / shape[0];
        shape[0] = placement.experts();
        List<Range> ranges = new ArrayList<>();
        for (int expert = 0; expert < placement.experts(); expert++) {
            Placement.Slot slot = placement.slotsOf(expert).getFirst();
            ranges.add(new Range(slot.rank(), expert * each, (expert + 1) * each, slot.slot() * each));
        }
        Tensor mean = expertMeans.get(place);
        Tensor meanSquare = expertMeanSquares.get(place);
        return new Slice(
                parameter.name(),
                shape,
                ranges,
                mean.reshape(mean.elements()),
                meanSquare.reshape(meanSquare.elements()));
    }

    @Override
    public void move(ExpertPlaces.Next next) {
        moves.begin(next);
    }

    /// Begins to sum some elements, for the ranks in whose ranges they lie.
    @Override
    public void finished(Training training, long from, long to) {
        List<Mirror> parts = training.flatParts().stream()
                .map(part -> mirrors.read(part.slice(0, from, to)))
                .toList();
        long[] some = Arrays.stream(bounds)
                .map(bound -> Math.clamp(bound, from, to) - from)
                .toArray();
        Tensor sum = parts.getFirst().host().slice(0, some[fabric.rank()], some[fabric.rank() + 1]);
        List<MemorySegment> all = parts.stream().map(part -> bytes(part.host())).toList();
        sums.add(new Sum(fabric.beginReduceScatter(all, some, bytes(sum)), parts));
    }

    @Override
    public double norm(Training training) {
        moves.arrive(training.expertGradients());
        List<double[]> ofExperts = squares(training.expertGradients());
        sums.forEach(Sum::await);
        sums.clear();
        double norm = norm(mine(training.flatParts().getFirst()), ofExperts);
        try (Mirror clip = mirrors.of(normAndClip)) {
            double noted = constants.clip(norm, clip.host());
            clip.write();
            return noted;
        }
    }

    static MemorySegment bytes(Tensor tensor) {
        return tensor.memory().asSlice(0, tensor.bytes());
    }

    /// @param all laid out as the flat weights
    private Tensor mine(Tensor all) {
        return all.slice(0, from(), to());
    }

    private List<double[]> squares(List<Tensor> ofExperts) {
        List<double[]> squares = new ArrayList<>();
        for (Tensor of : ofExperts) {
            squares.add(kernels.adamW().squares(each(of)));
        }
        return squares;
    }

    /// @param experts `[slots, ..]`
    /// @return each by itself
    static List<Tensor> each(Tensor experts) {
        List<Tensor> each = new ArrayList<>();
        for (int i = 0; i < experts.dim(0); i++) {
            each.add(experts.select(0, i));
        }
        return each;
    }

    /// The norm of what all ranks have alike, of which this one measures its range, and of all experts.
    ///
    /// @param ofExperts sums of squares of this rank's
    private double norm(Tensor alike, List<double[]> ofExperts) {
        List<double[]> squares = new ArrayList<>();
        squares.add(kernels.adamW().squares(List.of(alike)));
        squares.addAll(ofExperts);
        List<double[][]> all = new ArrayList<>();
        List<byte[]> gathered = fabric.allGather(SquaresLayout.bytes(squares));
        for (int rank = 0; rank < gathered.size(); rank++) {
            all.add(SquaresLayout.of(gathered.get(rank), rank, squares.size()));
        }
        double sum = 0;
        for (double[][] ofRank : all) {
            for (double square : ofRank[0]) {
                sum += square;
            }
        }
        for (int list = 1; list < squares.size(); list++) {
            Placement placement = model.placements().get((list - 1) / ExpertMoves.PARAMETERS);
            int each = squares.get(list).length / placement.slots()[fabric.rank()].length;
            for (int expert = 0; expert < placement.experts(); expert++) {
                Placement.Slot slot = placement.slotsOf(expert).getFirst();
                double[] ofRank = all.get(slot.rank())[list];
                requireSquares(slot.rank(), ofRank.length, each * placement.slots()[slot.rank()].length);
                for (int i = slot.slot() * each; i < (slot.slot() + 1) * each; i++) {
                    sum += ofRank[i];
                }
            }
        }
        return Math.sqrt(sum);
    }

    private static void requireSquares(int rank, int count, int expected) {
        if (count != expected) {
            throw new Departed(
                    rank,
                    "rank %d sent %d sums of squares of its experts, expected %d.".formatted(rank, count, expected));
        }
    }

    /// Moves the experts, most of the parameters, while what all ranks have alike travels.
    @Override
    public void update(Training training, long step, double learningRate) {
        updateAlike(training, step, learningRate);
        kernels.stream().synchronize();
        try (Mirror values = mirrors.of(flat.values())) {
            values.part(from(), to()).read();
            Transfer weights = fabric.beginAllGather(bytes(values.host()), inBytes(bounds));
            try (Serving _ = fabric.serve()) {
                updateExperts(training, step, learningRate);
                kernels.stream().synchronize();
            }
            weights.await();
            values.part(0, from()).write();
            values.part(to(), bounds[fabric.size()]).write();
        }
        moves.land();
    }

    private void updateAlike(Training training, long step, double learningRate) {
        Tensor gradient = mine(training.flatParts().getFirst());
        for (Flat.Piece piece : flat.pieces()) {
            long first = Math.max(from(), piece.from());
            long last = Math.min(to(), piece.from() + piece.parameter().value().elements());
            if (first < last) {
                kernels.adamW()
                        .update(
                                constants.at(step, learningRate, piece.parameter()),
                                flat.values().slice(0, first, last),
                                gradient.slice(0, first - from(), last - from()),
                                means.slice(0, first - from(), last - from()),
                                meanSquares.slice(0, first - from(), last - from()),
                                normAndClip);
            }
        }
    }

    private void updateExperts(Training training, long step, double learningRate) {
        List<Tensor> gradients = training.expertGradients();
        for (int i = 0; i < experts.size(); i++) {
            Parameter expert = experts.get(i);
            kernels.adamW()
                    .update(
                            constants.at(step, learningRate, expert),
                            expert.value(),
                            gradients.get(i),
                            expertMeans.get(i),
                            expertMeanSquares.get(i),
                            normAndClip);
        }
        moves.update((parameter, value, gradientOf, mean, meanSquare) -> kernels.adamW()
                .update(constants.at(step, learningRate, parameter), value, gradientOf, mean, meanSquare, normAndClip));
    }

    private static long[] inBytes(long[] elements) {
        return Arrays.stream(elements).map(e -> e * Float.BYTES).toArray();
    }

    @Override
    public boolean isFinite() {
        return Double.isFinite(norm(
                mine(flat.values()),
                squares(experts.stream().map(Parameter::value).toList())));
    }

    @Override
    public void write(Path file) {
        Map<Tensor, Moment> moments = new IdentityHashMap<>();
        SequencedMap<String, Tensor> shapes = new LinkedHashMap<>();
        moments().forEach((name, moment) -> {
            Tensor shape = dry.memory().tensor(DType.F32, moment.slice.shape);
            shapes.put(name, shape);
            moments.put(shape, moment);
        });
        Checkpoint.writeOptimizer(
                file, shapes, (shape, host) -> gather(Objects.requireNonNull(moments.get(shape)), host));
    }

    private SequencedMap<String, Moment> moments() {
        SequencedMap<String, Moment> moments = new LinkedHashMap<>();
        for (Slice slice : slices()) {
            moments.put("m." + slice.name, new Moment(slice, slice.mean));
            moments.put("v." + slice.name, new Moment(slice, slice.meanSquare));
        }
        return moments;
    }

    /// @param host gets all ranks' elements
    private void gather(Moment moment, Tensor host) {
        for (Range range : moment.slice.ranges) {
            if (range.rank == fabric.rank()) {
                device.download(range.among(moment.mine), range.of(host));
            } else {
                fabric.receive(bytes(range.of(host)), range.rank);
            }
        }
    }

    @Override
    public void give() {
        for (Moment moment : moments().values()) {
            for (Range range : moment.slice.ranges) {
                if (range.rank == fabric.rank()) {
                    try (Mirror mine = mirrors.read(range.among(moment.mine))) {
                        fabric.send(bytes(mine.host()), 0);
                    }
                }
            }
        }
    }

    @Override
    public void restore(Path file) {
        try (Safetensors stored = Safetensors.open(file)) {
            moments().forEach((name, moment) -> {
                Tensor tensor = stored.tensor(name);
                Checkpoint.requireShape(file, name, tensor, moment.slice.shape);
                for (Range range : moment.slice.ranges) {
                    if (range.rank == fabric.rank()) {
                        device.upload(range.of(tensor), range.among(moment.mine));
                    }
                }
            });
        }
    }

    @Override
    public void close() {
        moves.close();
        mirrors.close();
        memory.close();
        dry.close();
    }
}
