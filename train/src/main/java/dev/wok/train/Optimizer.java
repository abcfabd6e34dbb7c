package dev.wok.train;

import dev.wok.device.Memory;
import dev.wok.kernel.AdamW;
import dev.wok.kernel.Kernels;
import dev.wok.model.Parameter;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;

/// AdamW (I. Loshchilov and F. Hutter, 2019) over some parameters, with clipping by the norm of all
/// gradients together. It owns the moments. One thread at a time.
public final class Optimizer implements AutoCloseable {
    /// The constants that no schedule moves.
    ///
    /// @param weightDecay on tensors of two or more dimensions
    /// @param clipNorm the largest norm of all gradients together
    public record Constants(double beta1, double beta2, double eps, double weightDecay, double clipNorm) {
        AdamW.Step at(long step, double learningRate, Parameter parameter) {
            double decay = parameter.decayed() ? weightDecay : 0;
            return new AdamW.Step(learningRate, beta1, beta2, eps, decay, step);
        }

        /// Notes a norm that ranks have summed, and by what it clips, as [AdamW#update] reads them.
        ///
        /// @return the norm as it was noted
        double clip(double norm, Tensor normAndClip) {
            normAndClip.set(0, norm);
            normAndClip.set(1, Math.min(1, clipNorm / (norm + 1e-6)));
            return normAndClip.get(0);
        }
    }

    private final Kernels kernels;
    private final List<Parameter> parameters;
    private final Constants constants;
    private final Memory memory;
    private final List<Tensor> means = new ArrayList<>();
    private final List<Tensor> meanSquares = new ArrayList<>();
    private final Tensor normAndClip;

    /// @param parameters stay the caller's
    public Optimizer(Kernels kernels, List<Parameter> parameters, Constants constants) {
        this.kernels = kernels;
        this.parameters = List.copyOf(parameters);
        this.constants = constants;
        memory = kernels.stream().device().memory();
        for (Parameter parameter : parameters) {
            means.add(memory.tensor(DType.F32, parameter.value().shape()));
            meanSquares.add(memory.tensor(DType.F32, parameter.value().shape()));
        }
        normAndClip = memory.tensor(DType.F32, 2);
    }

    /// Measures gradients for [#update], which clips by what was measured last.
    ///
    /// @return their norm before clipping
    public double norm(List<Tensor> gradients) {
        kernels.adamW().clip(gradients, constants.clipNorm, normAndClip);
        Tensor host = Tensor.allocate(Arena.ofAuto(), DType.F32, 2);
        kernels.stream().device().download(normAndClip, host);
        return host.get(0);
    }

    /// Moves the parameters; the model has to be told ([dev.wok.model.Model#weightsChanged]).
    ///
    /// @param gradients in the order of the parameters
    /// @param step counts from 1
    public void update(List<Tensor> gradients, long step, double learningRate) {
        for (int i = 0; i < parameters.size(); i++) {
            Parameter parameter = parameters.get(i);
            AdamW.Step at = constants.at(step, learningRate, parameter);
            kernels.adamW()
                    .update(at, parameter.value(), gradients.get(i), means.get(i), meanSquares.get(i), normAndClip);
        }
    }

    /// @return whether the parameters have a finite norm
    public boolean isFinite() {
        return Double.isFinite(norm(parameters.stream().map(Parameter::value).toList()));
    }

    /// @return the moments by name, on the device: `m.` and `v.` before each parameter's name
    public SequencedMap<String, Tensor> state() {
        SequencedMap<String, Tensor> state = new LinkedHashMap<>();
        for (int i = 0; i < means.size(); i++) {
            String name = parameters.get(i).name();
            state.put("m." + name, means.get(i));
            state.put("v." + name, meanSquares.get(i));
        }
        return state;
    }

    @Override
    public void close() {
        memory.close();
    }
}
