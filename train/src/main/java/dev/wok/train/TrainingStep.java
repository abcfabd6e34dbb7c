package dev.wok.train;

import dev.wok.device.Memory;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.Kernels;
import dev.wok.model.Batch;
import dev.wok.model.Model;
import dev.wok.model.Parameter;
import dev.wok.model.Training;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/// One step of training after another on a model: gradients over micro-batches, clipping by the global norm, AdamW,
/// the router biases' move. It owns the optimizer's state. One thread at a time.
public final class TrainingStep implements AutoCloseable {
    /// The constants of AdamW that no schedule moves.
    ///
    /// @param weightDecay on tensors of two or more dimensions
    /// @param clipNorm the largest norm of all gradients together
    public record Constants(double beta1, double beta2, double eps, double weightDecay, double clipNorm) {}

    /// What a step found.
    ///
    /// @param losses before the step
    /// @param gradNorm before clipping
    public record Result(Training.Result losses, double gradNorm) {
        /// @return whether all of it are numbers; a step of which they are not changes nothing
        public boolean isFinite() {
            return Double.isFinite(losses.loss() + losses.mtpLoss() + losses.balanceLoss() + gradNorm);
        }
    }

    private final Model model;
    private final Constants constants;
    private final Training training;
    private final Memory memory;
    private final List<Tensor> means = new ArrayList<>();
    private final List<Tensor> meanSquares = new ArrayList<>();
    private final Tensor normAndClip;

    /// @param model stays the caller's
    /// @param settings of a micro-batch
    public TrainingStep(Model model, Training.Settings settings, Constants constants) {
        this.model = model;
        this.constants = constants;
        training = model.training(settings);
        memory = model.kernels().stream().device().memory();
        for (Parameter parameter : model.parameters()) {
            means.add(memory.tensor(DType.F32, parameter.value().shape()));
            meanSquares.add(memory.tensor(DType.F32, parameter.value().shape()));
        }
        normAndClip = memory.tensor(DType.F32, 2);
    }

    /// Learns from a step's micro-batches.
    ///
    /// @param step counts from 1
    /// @param gamma how far the router biases move
    public Result run(List<Batch> microBatches, long step, double learningRate, double gamma) {
        long targets = 0;
        int sequences = 0;
        for (Batch batch : microBatches) {
            targets += batch.targetCount();
            sequences += batch.sequences();
        }
        training.begin(targets, sequences);
        microBatches.forEach(training::accumulate);
        Kernels kernels = model.kernels();
        List<Tensor> gradients = training.gradients();
        kernels.adamW().clip(gradients, constants.clipNorm, normAndClip);
        Training.Result losses = training.result();
        double norm = host(normAndClip).get(0);
        Result result = new Result(losses, norm);
        if (!result.isFinite()) {
            return result;
        }
        for (int i = 0; i < gradients.size(); i++) {
            Parameter parameter = model.parameters().get(i);
            double decay = parameter.decayed() ? constants.weightDecay : 0;
            kernels.adamW()
                    .update(
                            new AdamW.Step(learningRate, constants.beta1, constants.beta2, constants.eps, decay, step),
                            parameter.value(),
                            gradients.get(i),
                            means.get(i),
                            meanSquares.get(i),
                            normAndClip);
        }
        model.weightsChanged();
        if (gamma > 0) {
            training.moveBiases(gamma);
        }
        kernels.stream().synchronize();
        return result;
    }

    /// Measures a batch without learning from it.
    ///
    /// @return the sum of the cross-entropy over the batch's targets, in nats
    public double evaluate(Batch batch) {
        return training.evaluate(batch);
    }

    /// @return whether the weights have a finite norm
    boolean isFinite() {
        List<Tensor> weights = model.parameters().stream().map(Parameter::value).toList();
        model.kernels().adamW().clip(weights, constants.clipNorm, normAndClip);
        return Double.isFinite(host(normAndClip).get(0));
    }

    /// @return the optimizer's state by name, on the device: `m.` and `v.` before each parameter's name
    SequencedMap<String, Tensor> state() {
        SequencedMap<String, Tensor> state = new LinkedHashMap<>();
        for (int i = 0; i < means.size(); i++) {
            String name = model.parameters().get(i).name();
            state.put("m." + name, means.get(i));
            state.put("v." + name, meanSquares.get(i));
        }
        return state;
    }

    private Tensor host(Tensor here) {
        Tensor host = Tensor.allocate(Arena.ofAuto(), here.dtype(), here.shape());
        model.kernels().stream().device().download(here, host);
        return host;
    }

    @Override
    public void close() {
        training.close();
        memory.close();
    }
}
