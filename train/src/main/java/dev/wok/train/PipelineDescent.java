package dev.wok.train;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.Memory;
import dev.wok.fabric.Fabric;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.Kernels;
import dev.wok.model.Flat;
import dev.wok.model.Model;
import dev.wok.model.Parameter;
import dev.wok.model.Training;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Predicate;

/// AdamW on a model whose layers are dealt to the ranks of a pipeline: each rank has the moments of
/// what it has, and moves it. The norm of all gradients is summed in the order in which one rank sums
/// it: that is a [WholeDescent] where gradients have one part, else a [SharedDescent].
final class PipelineDescent implements Descent {
    private static final List<String> MOMENTS = List.of("m.", "v.");

    private final Fabric fabric;
    private final Kernels kernels;
    private final Optimizer.Constants constants;
    private final List<Parameter> parameters;
    private final Map<String, Long> begins = new HashMap<>();
    private final Tensor weights;
    private final List<Model.Holding> all;
    private final Memory memory;
    private final DryDevice dry = Device.dry();
    private final List<Tensor> means = new ArrayList<>();
    private final List<Tensor> meanSquares = new ArrayList<>();
    private final Tensor normAndClip;

    PipelineDescent(Model model, Optimizer.Constants constants) {
        fabric = model.fabric();
        kernels = model.kernels();
        this.constants = constants;
        parameters = model.parameters();
        Flat flat = model.flat();
        weights = flat.values();
        for (Flat.Piece piece : flat.pieces()) {
            begins.put(piece.parameter().name(), piece.from());
        }
        all = model.holdings();
        memory = kernels.stream().device().memory();
        for (Parameter parameter : parameters) {
            means.add(memory.tensor(DType.F32, parameter.value().shape()));
            meanSquares.add(memory.tensor(DType.F32, parameter.value().shape()));
        }
        normAndClip = memory.tensor(DType.F32, 2);
    }

    @Override
    public void move(ExpertPlaces.Next next) {
        throw new IllegalStateException("experts of a pipeline's layers were to go to another rank");
    }

    @Override
    public void finished(Training training, long from, long to) {}

    @Override
    public double norm(Training training) {
        List<Tensor> parts = training.flatParts();
        Tensor sum = parts.getFirst();
        for (Tensor part : parts.subList(1, parts.size())) {
            kernels.elementwise().add(sum, part, sum);
        }
        return constants.clip(norm(sum, training.expertGradients(), parts.size() > 1), normAndClip);
    }

    /// @param flat laid out as the flat weights
    /// @param ofExperts by expert parameter
    /// @param apart whether sums are those of [SharedDescent]: everything but experts comes first, in
    ///     whole blocks, and then each expert
    private double norm(Tensor flat, List<Tensor> ofExperts, boolean apart) {
        List<double[]> squares = new ArrayList<>();
        int expert = 0;
        for (Parameter parameter : parameters) {
            Long begin = begins.get(parameter.name());
            if (begin == null) {
                Tensor of = ofExperts.get(expert++);
                squares.add(kernels.adamW().squares(apart ? SharedDescent.each(of) : List.of(of)));
            } else {
                long elements = parameter.value().elements();
                long counted = apart ? Math.ceilDiv(elements, AdamW.BLOCK) * AdamW.BLOCK : elements;
                squares.add(kernels.adamW().squares(List.of(flat.slice(0, begin, begin + counted))));
            }
        }
        List<double[]> inOrder = gathered(squares);
        return Math.sqrt(
                apart
                        ? sum(sum(0, inOrder, holding -> !holding.routed()), inOrder, Model.Holding::routed)
                        : sum(0, inOrder, _ -> true));
    }

    /// @return the sum so far and further ones of some parameters, one after the other
    private double sum(double before, List<double[]> squares, Predicate<Model.Holding> which) {
        double sum = before;
        for (int i = 0; i < all.size(); i++) {
            if (which.test(all.get(i))) {
                for (double square : squares.get(i)) {
                    sum += square;
                }
            }
        }
        return sum;
    }

    /// @param mine by parameter of this rank
    /// @return those of all ranks, in the order of the whole model
    private List<double[]> gathered(List<double[]> mine) {
        int[] counts = new int[fabric.size()];
        all.forEach(holding -> counts[holding.rank()]++);
        List<double[][]> ofRanks = new ArrayList<>();
        List<byte[]> bytes = fabric.allGather(SquaresLayout.bytes(mine));
        for (int rank = 0; rank < bytes.size(); rank++) {
            ofRanks.add(SquaresLayout.of(bytes.get(rank), rank, counts[rank]));
        }
        int[] next = new int[fabric.size()];
        return all.stream()
                .map(holding -> ofRanks.get(holding.rank())[next[holding.rank()]++])
                .toList();
    }

    @Override
    public void update(Training training, long step, double learningRate) {
        Tensor flat = training.flatParts().getFirst();
        int expert = 0;
        for (int i = 0; i < parameters.size(); i++) {
            Parameter parameter = parameters.get(i);
            Tensor value = parameter.value();
            Long begin = begins.get(parameter.name());
            Tensor gradient = begin == null
                    ? training.expertGradients().get(expert++)
                    : flat.slice(0, begin, begin + value.elements()).reshape(value.shape());
            kernels.adamW()
                    .update(
                            constants.at(step, learningRate, parameter),
                            value,
                            gradient,
                            means.get(i),
                            meanSquares.get(i),
                            normAndClip);
        }
    }

    @Override
    public boolean isFinite() {
        List<Tensor> experts = parameters.stream()
                .filter(parameter -> !begins.containsKey(parameter.name()))
                .map(Parameter::value)
                .toList();
        return Double.isFinite(norm(weights, experts, false));
    }

    @Override
    public void write(Path file) {
        Map<Tensor, Integer> elsewhere = new IdentityHashMap<>();
        SequencedMap<String, Tensor> state = new LinkedHashMap<>();
        SequencedMap<String, Tensor> mine = state();
        for (Model.Holding holding : all) {
            for (String moment : MOMENTS) {
                String name = moment + holding.name();
                Tensor own = mine.get(name);
                Tensor tensor = own == null ? dry.memory().tensor(DType.F32, holding.shape()) : own;
                state.put(name, tensor);
                if (own == null) {
                    elsewhere.put(tensor, holding.rank());
                }
            }
        }
        Checkpoint.writeOptimizer(file, state, (tensor, host) -> {
            Integer rank = elsewhere.get(tensor);
            if (rank == null) {
                host.copyFrom(tensor);
            } else {
                fabric.receive(SharedDescent.bytes(host), rank);
            }
        });
    }

    /// @return this rank's moments by name
    private SequencedMap<String, Tensor> state() {
        SequencedMap<String, Tensor> state = new LinkedHashMap<>();
        for (int i = 0; i < parameters.size(); i++) {
            state.put(MOMENTS.getFirst() + parameters.get(i).name(), means.get(i));
            state.put(MOMENTS.getLast() + parameters.get(i).name(), meanSquares.get(i));
        }
        return state;
    }

    @Override
    public void give() {
        state().values().forEach(tensor -> fabric.send(SharedDescent.bytes(tensor), 0));
    }

    @Override
    public void restore(Path file) {
        Checkpoint.restore(file, state(), kernels.stream().device());
    }

    @Override
    public void close() {
        memory.close();
        dry.close();
    }
}
