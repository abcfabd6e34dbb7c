package dev.wok.train;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.Memory;
import dev.wok.fabric.Departed;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Placement;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.Kernels;
import dev.wok.model.Flat;
import dev.wok.model.Model;
import dev.wok.model.MoeConfig;
import dev.wok.model.Parameter;
import dev.wok.model.Training;
import dev.wok.tensor.DType;
import dev.wok.tensor.Safetensors;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
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
    /// @param bounds `[ranks + 1]`: rank `r` has elements `bounds[r]` to `bounds[r + 1]`
    /// @param mean this rank's elements, one dimension
    /// @param meanSquare likewise
    private record Slice(String name, long[] shape, long[] bounds, Tensor mean, Tensor meanSquare) {}

    /// One of a [Slice]'s two tensors, as it is written.
    private record Moment(Slice slice, Tensor mine) {}

    private final Fabric fabric;
    private final Kernels kernels;
    private final Optimizer.Constants constants;
    private final Flat flat;
    private final List<Parameter> experts;
    private final Memory memory;
    private final DryDevice dry = Device.dry();

    /// `[ranks + 1]`: whose elements of the flat weights are whose.
    private final long[] bounds;

    private final Tensor means;
    private final Tensor meanSquares;
    private final List<Tensor> expertMeans = new ArrayList<>();
    private final List<Tensor> expertMeanSquares = new ArrayList<>();
    private final List<Slice> slices;
    private final Tensor normAndClip;

    SharedDescent(Model model, Optimizer.Constants constants) {
        fabric = model.fabric();
        kernels = model.kernels();
        this.constants = constants;
        flat = model.flat();
        experts = model.expertParameters();
        memory = kernels.stream().device().memory();
        bounds = ranges(flat.values().elements(), fabric.size());
        means = memory.tensor(DType.F32, to() - from());
        meanSquares = memory.tensor(DType.F32, to() - from());
        for (Parameter expert : experts) {
            expertMeans.add(memory.tensor(DType.F32, expert.value().shape()));
            expertMeanSquares.add(memory.tensor(DType.F32, expert.value().shape()));
        }
        normAndClip = memory.tensor(DType.F32, 2);
        slices = slices(model);
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

    private List<Slice> slices(Model model) {
        Map<String, Long> begins = new HashMap<>();
        flat.pieces().forEach(piece -> begins.put(piece.parameter().name(), piece.from()));
        Map<String, Integer> places = new HashMap<>();
        for (int i = 0; i < experts.size(); i++) {
            places.put(experts.get(i).name(), i);
        }
        MoeConfig moe = model.config().moe();
        int count = moe == null ? 0 : moe.nRoutedExperts();
        List<Slice> all = new ArrayList<>();
        for (Parameter parameter : model.parameters()) {
            Long begin = begins.get(parameter.name());
            all.add(
                    begin != null
                            ? alike(parameter, begin)
                            : expert(parameter, Objects.requireNonNull(places.get(parameter.name())), count));
        }
        return all;
    }

    private Slice alike(Parameter parameter, long begin) {
        long elements = parameter.value().elements();
        long[] mine = Arrays.stream(bounds)
                .map(bound -> Math.clamp(bound - begin, 0, elements))
                .toArray();
        long first = begin + mine[fabric.rank()] - from();
        long last = begin + mine[fabric.rank() + 1] - from();
        boolean none = first >= last;
        return new Slice(
                parameter.name(),
                parameter.value().shape(),
                mine,
                means.slice(0, none ? 0 : first, none ? 0 : last),
                meanSquares.slice(0, none ? 0 : first, none ? 0 : last));
    }

    private Slice expert(Parameter parameter, int place, int count) {
        long[] shape = parameter.value().shape();
        shape[0] = count;
        long each = Shape.elements(shape) / count;
        int[][] slots = Placement.even(count, fabric.size()).slots();
        long[] of = new long[slots.length + 1];
        for (int rank = 0; rank < slots.length; rank++) {
            of[rank + 1] = of[rank] + slots[rank].length * each;
        }
        long mine = of[fabric.rank() + 1] - of[fabric.rank()];
        return new Slice(
                parameter.name(),
                shape,
                of,
                expertMeans.get(place).reshape(mine),
                expertMeanSquares.get(place).reshape(mine));
    }

    @Override
    public double norm(Training training) {
        List<Tensor> parts = training.flatParts();
        MemorySegment sum = bytes(mine(parts.getFirst()));
        fabric.reduceScatter(parts.stream().map(SharedDescent::bytes).toList(), bounds, sum);
        double norm = norm(mine(parts.getFirst()), training.expertGradients());
        normAndClip.set(0, norm);
        normAndClip.set(1, Math.min(1, constants.clipNorm() / (norm + 1e-6)));
        return normAndClip.get(0);
    }

    private static MemorySegment bytes(Tensor tensor) {
        return tensor.memory().asSlice(0, tensor.bytes());
    }

    /// @param all laid out as the flat weights
    private Tensor mine(Tensor all) {
        return all.slice(0, from(), to());
    }

    /// The norm of what all ranks have alike, of which this one measures its range, and of all experts.
    private double norm(Tensor alike, List<Tensor> ofExperts) {
        List<double[]> squares = new ArrayList<>();
        squares.add(kernels.adamW().squares(List.of(alike)));
        for (Tensor of : ofExperts) {
            List<Tensor> each = new ArrayList<>();
            for (int i = 0; i < of.dim(0); i++) {
                each.add(of.select(0, i));
            }
            squares.add(kernels.adamW().squares(each));
        }
        List<double[][]> all = new ArrayList<>();
        List<byte[]> gathered = fabric.allGather(SquaresLayout.bytes(squares));
        for (int rank = 0; rank < gathered.size(); rank++) {
            all.add(squares(gathered.get(rank), rank, squares.size()));
        }
        double sum = 0;
        for (int list = 0; list < squares.size(); list++) {
            for (double[][] ofRank : all) {
                for (double square : ofRank[list]) {
                    sum += square;
                }
            }
        }
        return Math.sqrt(sum);
    }

    private static double[][] squares(byte[] bytes, int rank, int lists) {
        try {
            return SquaresLayout.lists(ByteBuffer.wrap(bytes), lists);
        } catch (IllegalArgumentException e) {
            throw new Departed(rank, "rank %d sent no sums of squares: %s.".formatted(rank, e.getMessage()));
        }
    }

    @Override
    public void update(Training training, long step, double learningRate) {
        Tensor gradient = mine(training.flatParts().getFirst());
        for (Flat.Piece piece : flat.pieces()) {
            long first = Math.max(from(), piece.from());
            long last = Math.min(to(), piece.from() + piece.parameter().value().elements());
            if (first < last) {
                kernels.adamW()
                        .update(
                                at(step, learningRate, piece.parameter()),
                                flat.values().slice(0, first, last),
                                gradient.slice(0, first - from(), last - from()),
                                means.slice(0, first - from(), last - from()),
                                meanSquares.slice(0, first - from(), last - from()),
                                normAndClip);
            }
        }
        List<Tensor> gradients = training.expertGradients();
        for (int i = 0; i < experts.size(); i++) {
            Parameter expert = experts.get(i);
            kernels.adamW()
                    .update(
                            at(step, learningRate, expert),
                            expert.value(),
                            gradients.get(i),
                            expertMeans.get(i),
                            expertMeanSquares.get(i),
                            normAndClip);
        }
        kernels.stream().synchronize();
        fabric.allGather(bytes(flat.values()), inBytes(bounds));
    }

    private AdamW.Step at(long step, double learningRate, Parameter parameter) {
        double decay = parameter.decayed() ? constants.weightDecay() : 0;
        return new AdamW.Step(learningRate, constants.beta1(), constants.beta2(), constants.eps(), decay, step);
    }

    private static long[] inBytes(long[] elements) {
        return Arrays.stream(elements).map(e -> e * Float.BYTES).toArray();
    }

    @Override
    public boolean isFinite() {
        return Double.isFinite(
                norm(mine(flat.values()), experts.stream().map(Parameter::value).toList()));
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
        for (Slice slice : slices) {
            moments.put("m." + slice.name, new Moment(slice, slice.mean));
            moments.put("v." + slice.name, new Moment(slice, slice.meanSquare));
        }
        return moments;
    }

    /// @param host gets all ranks' elements
    private void gather(Moment moment, Tensor host) {
        long[] of = moment.slice.bounds;
        for (int rank = 0; rank < fabric.size(); rank++) {
            if (of[rank] < of[rank + 1]) {
                Tensor there = host.reshape(host.elements()).slice(0, of[rank], of[rank + 1]);
                if (rank == fabric.rank()) {
                    there.copyFrom(moment.mine);
                } else {
                    fabric.receive(bytes(there), rank);
                }
            }
        }
    }

    @Override
    public void give() {
        for (Moment moment : moments().values()) {
            if (moment.mine.elements() > 0) {
                fabric.send(bytes(moment.mine), 0);
            }
        }
    }

    @Override
    public void restore(Path file) {
        try (Safetensors stored = Safetensors.open(file)) {
            moments().forEach((name, moment) -> {
                Tensor tensor = stored.tensor(name);
                Checkpoint.requireShape(file, name, tensor, moment.slice.shape);
                long[] of = moment.slice.bounds;
                moment.mine.copyFrom(
                        tensor.reshape(tensor.elements()).slice(0, of[fabric.rank()], of[fabric.rank() + 1]));
            });
        }
    }

    @Override
    public void close() {
        memory.close();
        dry.close();
    }
}
