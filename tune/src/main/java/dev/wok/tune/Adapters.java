package dev.wok.tune;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.Memory;
import dev.wok.kernel.Kernels;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.Parameter;
import dev.wok.model.Training;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/// The adapters of a model under training: what moves in it instead of its weights.
///
/// The model's weights are the merged ones; what they were before is kept beside them, and they are
/// made anew from it after each step ([#merge]), never from the last step's. Beside training all
/// weights this saves the two moments of what is adapted and takes a copy of it. A run that continues
/// begins from the weights without adapters, and restores [#parameters]: then the merged weights have
/// the same bits. One thread at a time.
final class Adapters implements AutoCloseable {
    private final Model model;
    private final Kernels kernels;
    private final Lora lora;
    private final Memory memory;
    private final List<LowRank> adapters;
    private final List<Tensor> bases = new ArrayList<>();
    private final List<Tensor> gradients = new ArrayList<>();
    private final List<Parameter> parameters = new ArrayList<>();

    /// Fresh ones, which change nothing yet: A is drawn, B is zero.
    ///
    /// @param model loaded to train; stays the caller's
    /// @param seed of A, each by its linear's name
    /// @throws dev.wok.notice.BadInput where a target is no linear of the model
    static Adapters fresh(Model model, Lora lora, long seed) {
        Kernels kernels = model.kernels();
        Memory memory = kernels.stream().device().memory();
        try {
            Rng rng = new Rng(seed).split("lora");
            List<LowRank> fresh = new ArrayList<>();
            for (Linear linear : LoraTargets.choose(Linear.of(model).values(), lora.targets())) {
                LowRank adapter = new LowRank(linear, lora.rank(), lora.alpha(), lora.rslora(), kernels, memory);
                adapter.draw(kernels, rng);
                fresh.add(adapter);
            }
            return new Adapters(model, lora, memory, fresh);
        } catch (RuntimeException | Error e) {
            memory.close();
            throw e;
        }
    }

    /// Those of a file, to be trained further; the model's weights have them merged from now on.
    ///
    /// @param model loaded to train, without the adapter; stays the caller's
    /// @throws dev.wok.notice.BadInput where it is no adapter of this model
    static Adapters load(Model model, Path folder) {
        Memory memory = model.kernels().stream().device().memory();
        try {
            PeftReader.Read read = PeftReader.read(folder, model, memory);
            Adapters all = new Adapters(model, read.lora(), memory, read.adapters());
            all.merge();
            return all;
        } catch (RuntimeException | Error e) {
            memory.close();
            throw e;
        }
    }

    /// Adds those of a file to the model's weights for good.
    static void merge(Model model, Path folder) {
        Kernels kernels = model.kernels();
        try (Memory memory = kernels.stream().device().memory()) {
            for (LowRank adapter : PeftReader.read(folder, model, memory).adapters()) {
                adapter.changed();
                adapter.add(kernels);
            }
            model.weightsChanged();
            kernels.stream().synchronize();
        }
    }

    /// @return the bytes that adapters take beside the model and its whole gradient: A, B, their
    ///     gradients and moments, and a copy of what is adapted
    static long bytes(ModelConfig config, DType dtype, Lora lora) {
        try (DryDevice device = Device.dry();
                Model model = Model.zeros(config, Kernels.on(device.stream()), dtype);
                Adapters adapters = fresh(model, lora, 0)) {
            long moving = adapters.parameters.stream()
                    .mapToLong(p -> p.value().elements())
                    .sum();
            return adapters.memory.bytes() + 2 * Float.BYTES * moving;
        }
    }

    private Adapters(Model model, Lora lora, Memory memory, List<LowRank> adapters) {
        this.model = model;
        this.lora = lora;
        this.memory = memory;
        this.adapters = adapters;
        kernels = model.kernels();
        for (LowRank adapter : adapters) {
            Tensor weight = adapter.linear().weight();
            Tensor base = memory.tensor(weight.dtype(), weight.shape());
            kernels.elementwise().cast(rows(weight), rows(base));
            bases.add(base);
            for (Parameter parameter : adapter.parameters()) {
                parameters.add(parameter);
                gradients.add(memory.tensor(weight.dtype(), parameter.value().shape()));
            }
        }
    }

    private static Tensor rows(Tensor matrices) {
        long width = matrices.dim(matrices.rank() - 1);
        return matrices.reshape(matrices.elements() / width, width);
    }

    /// @return what they are
    Lora lora() {
        return lora;
    }

    /// @return A and B of each, which an optimizer moves
    List<Parameter> parameters() {
        return List.copyOf(parameters);
    }

    /// @param training holds the gradient of the whole weights
    /// @return that of [#parameters], in their order
    List<Tensor> gradients(Training training) {
        for (int i = 0; i < adapters.size(); i++) {
            LowRank adapter = adapters.get(i);
            Tensor whole = adapter.linear().gradient(training);
            adapter.gradients(kernels, whole, gradients.get(2 * i), gradients.get(2 * i + 1));
        }
        return List.copyOf(gradients);
    }

    /// Makes the model's weights anew from what they were and the adapters, and says so to the model:
    /// to be called whenever [#parameters] were written.
    void merge() {
        for (int i = 0; i < adapters.size(); i++) {
            LowRank adapter = adapters.get(i);
            kernels.elementwise().cast(rows(bases.get(i)), rows(adapter.linear().weight()));
            adapter.changed();
            adapter.add(kernels);
        }
        model.weightsChanged();
    }

    /// Uses the model as it is without adapters; then they are merged again, with the same bits.
    void beneath(Runnable use) {
        for (int i = 0; i < adapters.size(); i++) {
            kernels.elementwise()
                    .cast(rows(bases.get(i)), rows(adapters.get(i).linear().weight()));
        }
        model.weightsChanged();
        try {
            use.run();
        } finally {
            merge();
        }
    }

    /// Writes a folder that PEFT loads: adapter_config.json and adapter_model.safetensors in F32.
    ///
    /// @throws dev.wok.notice.BadInput where it cannot be written
    void save(Path folder) {
        PeftWriter.write(folder, model, lora, adapters);
    }

    /// Gives the memory back; the model's weights stay merged.
    @Override
    public void close() {
        memory.close();
    }
}
