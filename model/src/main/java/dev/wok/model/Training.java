package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.Memory;
import dev.wok.device.Workspace;
import dev.wok.kernel.Kernels;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Gradients of a model, summed over the micro-batches of a step, and the memory that this takes.
///
/// The loss is the mean cross-entropy over the step's targets, plus the sequence-wise balance loss (DeepSeek-V3 eq.
/// 17-20), plus multi-token prediction's loss over all depths, `weight / depths` each, divided by the number of the
/// main model's targets (eq. 24-25). One thread at a time; made by [Model#training].
public final class Training implements AutoCloseable {
    /// What a micro-batch is, and the weights of the additional losses.
    ///
    /// @param sequences of a micro-batch, at most
    /// @param length tokens of each
    /// @param mtpLossWeight on multi-token prediction's loss
    /// @param balanceAlpha on the sequence-wise balance loss, 0 for none
    /// @param asSampled whether logits shall have the bits that reading into a cache gives, which
    ///     attends in another form: it is computed beside the one that the gradient goes through
    /// @param alike whether documents may begin alike ([Batch#begins]), for losses of logits. Each
    ///     counts as a whole towards the tokens of a micro-batch; for the loads and the balance of
    ///     the experts a common beginning counts once
    public record Settings(
            int sequences, int length, double mtpLossWeight, double balanceAlpha, boolean asSampled, boolean alike) {
        /// Logits in the form that training computes faster, of documents that have nothing in common.
        public Settings(int sequences, int length, double mtpLossWeight, double balanceAlpha) {
            this(sequences, length, mtpLossWeight, balanceAlpha, false, false);
        }

        public Settings {
            if (sequences < 1 || length < 1) {
                throw new IllegalArgumentException(
                        "Training: %d sequences of %d tokens, expected 1 or more".formatted(sequences, length));
            }
        }

        int tokens() {
            return Math.multiplyExact(sequences, length);
        }
    }

    /// What a step found.
    ///
    /// @param loss mean cross-entropy in nats per target, without the additional losses
    /// @param mtpLoss the same of multi-token prediction, the mean over its depths; 0 where there is none
    /// @param balanceLoss the sequence-wise balance loss, its weight included
    /// @param load `[MoE layer][expert]`: how many tokens of the step chose each expert; multi-token prediction's
    ///     layers follow the main model's
    public record Result(double loss, double mtpLoss, double balanceLoss, int[][] load) {}

    private final Network network;
    private final Settings settings;
    private final Memory memory;
    private final Weights gradients;
    private final Workspace workspace;
    private final Tensor losses;
    private final Tensor mtpLosses;
    private final Tensor balanceLoss;
    private final List<Tensor> loads = new ArrayList<>();
    private final List<@Nullable Tensor> biases = new ArrayList<>();
    private long stepTargets = 1;
    private int stepSequences = 1;

    Training(Network network, Settings settings) {
        this(network, settings, null);
    }

    private Training(Network network, Settings settings, @Nullable Workspace measuring) {
        this.network = network;
        this.settings = settings;
        memory = network.device().memory();
        gradients = new Weights(network.config, memory, network.dtype);
        losses = memory.tensor(network.dtype, settings.tokens());
        mtpLosses = memory.tensor(network.dtype, settings.tokens());
        balanceLoss = memory.tensor(network.dtype, 1);
        List<Weights.Layer> layers = new ArrayList<>(network.weights.layers);
        network.weights.mtp.forEach(m -> layers.add(m.layer()));
        for (Weights.Layer layer : layers) {
            if (layer.feedForward() instanceof Weights.Moe moe) {
                loads.add(memory.tensor(DType.I32, moe.gate().dim(0)));
                biases.add(moe.bias());
            }
        }
        workspace = measuring != null
                ? measuring
                : Workspace.of(memory, workspaceBytes(network.config, network.dtype, settings));
    }

    private static long workspaceBytes(ModelConfig config, DType dtype, Settings settings) {
        try (DryDevice device = Device.dry()) {
            Workspace workspace = Workspace.measuring(device);
            Network dry = new Network(config, Kernels.on(device.stream()), device.memory(), dtype);
            Training training = new Training(dry, settings, workspace);
            int tokens = settings.tokens();
            int[] alone = IntStream.range(0, tokens).toArray();
            int[] none = new int[tokens];
            Batch most = new Batch(settings.sequences, settings.length, none, none, none, alone);
            if (settings.alike && tokens > 2) {
                training.accumulate(alike(tokens - 1), (_, _) -> {});
            }
            training.accumulate(most);
            training.accumulate(most, (_, _) -> {});
            return workspace.peakBytes();
        }
    }

    /// Documents of a token each, but the last one begins like the first.
    private static Batch alike(int rows) {
        int[] none = new int[rows];
        int[] positions = new int[rows];
        int[] starts = IntStream.range(0, rows).toArray();
        int[] begins = starts.clone();
        positions[rows - 1] = 1;
        begins[rows - 1] = 0;
        return new Batch(1, rows, none, none, positions, starts, begins);
    }

    /// @return the bytes that training takes beside the model's weights: gradients and the values of a micro-batch
    public static long bytes(ModelConfig config, DType dtype, Settings settings) {
        try (DryDevice device = Device.dry()) {
            Network dry = new Network(config, Kernels.on(device.stream()), device.memory(), dtype);
            return new Training(dry, settings).bytes();
        }
    }

    /// @return the bytes of this one
    long bytes() {
        return memory.bytes();
    }

    /// Begins a step: gradients, losses and loads are zero.
    ///
    /// @param targets how many tokens of all the step's micro-batches have a target
    /// @param sequences how many sequences they hold
    public void begin(long targets, int sequences) {
        stepTargets = Math.max(1, targets);
        stepSequences = Math.max(1, sequences);
        var elementwise = network.kernels.elementwise();
        gradients.parameters().forEach(p -> elementwise.fill(p.value(), 0));
        loads.forEach(load -> elementwise.fill(load, 0));
        elementwise.fill(losses, 0);
        elementwise.fill(mtpLosses, 0);
        elementwise.fill(balanceLoss, 0);
    }

    /// Adds a micro-batch's losses, loads and gradients.
    ///
    /// @param batch at most as large as the settings say
    public void accumulate(Batch batch) {
        requireFits(batch);
        requireApart(batch);
        try (var _ = workspace.scope()) {
            Pass p = pass(batch);
            Tensor ids = network.ints(workspace, batch.tokens());
            Tensor targets = network.ints(workspace, batch.targets());
            List<RouterLayer.Balance> balances = balances(batch);
            int layers = network.config.numHiddenLayers();
            Network.Saved saved = network.forward(p, ids, balances.subList(0, layers));
            Tensor dNormed = p.rows(network.config.hiddenSize());
            Tensor rowLosses = p.tensor(p.tokens());
            HeadLayer.lossesAndGradients(
                    p,
                    network.weights.head,
                    gradients.head,
                    saved.normed(),
                    targets,
                    1.0 / stepTargets,
                    rowLosses,
                    dNormed);
            add(rowLosses, losses);
            if (network.config.numNextnPredictLayers() > 0) {
                predictFurther(p, batch, balances.subList(layers, balances.size()), saved.normed(), rowLosses, dNormed);
            }
            network.backward(p, gradients, saved, balances.subList(0, layers), dNormed);
        }
    }

    /// Adds a micro-batch's loads, and the gradients of a loss of its logits; no cross-entropy is
    /// counted. Multi-token prediction learns nothing.
    ///
    /// @param batch at most as large as the settings say
    /// @param loss is shown the logits before each target; what its gradients add up to over a step
    ///     is the caller's
    public void accumulate(Batch batch, LogitLoss loss) {
        requireFits(batch);
        try (var _ = workspace.scope()) {
            Pass p = pass(batch);
            List<RouterLayer.Balance> balances = balances(batch).subList(0, network.config.numHiddenLayers());
            Network.Saved saved = network.forward(p, network.ints(workspace, batch.tokens()), balances);
            Tensor dNormed = p.rows(network.config.hiddenSize());
            Weights w = network.weights;
            HeadLayer.gradients(p, w.head, gradients.head, saved.normed(), batch.targetRows(), loss, dNormed);
            network.backward(p, gradients, saved, balances, dNormed);
        }
    }

    /// Shows a loss the logits that [#accumulate(Batch, LogitLoss)] would, bit for bit, and learns
    /// nothing.
    public void score(Batch batch, LogitLoss loss) {
        requireFits(batch);
        try (var _ = workspace.scope()) {
            Pass p = pass(batch);
            Tensor normed = network.infer(p, network.ints(workspace, batch.tokens()), null);
            HeadLayer.gradients(p, network.weights.head, null, normed, batch.targetRows(), loss, null);
        }
    }

    private Pass pass(Batch batch) {
        return settings.asSampled ? network.passAsSampled(workspace, batch) : network.pass(workspace, batch);
    }

    private void add(Tensor rowLosses, Tensor sum) {
        Tensor part = sum.slice(0, 0, rowLosses.dim(0));
        network.kernels.elementwise().add(part, rowLosses, part);
    }

    /// Forward and backward of all depths of multi-token prediction; adds to the main model's gradient.
    private void predictFurther(
            Pass p, Batch batch, List<RouterLayer.Balance> balances, Tensor normed, Tensor rowLosses, Tensor dNormed) {
        int depths = network.config.numNextnPredictLayers();
        double factor = settings.mtpLossWeight / depths / stepTargets;
        Weights w = network.weights;
        List<MtpLayer.Saved> saved = new ArrayList<>();
        List<Tensor> dOutputs = new ArrayList<>();
        Tensor hidden = normed;
        for (int k = 0; k < depths; k++) {
            Tensor ids = network.ints(workspace, batch.following(k + 1));
            MtpLayer.Saved s = network.mtp(k).forward(p, w.mtp.get(k), w.embedding, hidden, ids, balances.get(k));
            Tensor targets = network.ints(workspace, batch.followingTargets(k + 1));
            Tensor dOutput = p.rows(network.config.hiddenSize());
            HeadLayer.lossesAndGradients(p, w.head, gradients.head, s.normed(), targets, factor, rowLosses, dOutput);
            add(rowLosses, mtpLosses);
            saved.add(s);
            dOutputs.add(dOutput);
            hidden = s.h();
        }
        Tensor dh = p.rows(network.config.hiddenSize());
        Tensor dPrevious = p.rows(network.config.hiddenSize());
        network.kernels.elementwise().fill(dh, 0);
        for (int k = depths - 1; k >= 0; k--) {
            if (k > 0) {
                network.kernels.elementwise().fill(dPrevious, 0);
            }
            network.mtp(k)
                    .backward(
                            p,
                            w.mtp.get(k),
                            gradients.mtp.get(k),
                            gradients.embedding,
                            saved.get(k),
                            balances.get(k),
                            dOutputs.get(k),
                            dh,
                            k > 0 ? dPrevious : dNormed);
            Tensor swap = dh;
            dh = dPrevious;
            dPrevious = swap;
        }
    }

    /// One per layer; dense layers have one that counts nothing.
    private List<RouterLayer.Balance> balances(Batch batch) {
        double alpha = settings.balanceAlpha * batch.sequences() / stepSequences;
        RouterLayer.Balance none = network.unwatched(workspace);
        List<RouterLayer.Balance> balances = new ArrayList<>();
        int next = 0;
        for (int i = 0; i < network.config.numHiddenLayers() + network.config.numNextnPredictLayers(); i++) {
            balances.add(
                    network.config.isMoe(i)
                            ? new RouterLayer.Balance(loads.get(next++), batch.length(), alpha, balanceLoss)
                            : none);
        }
        return balances;
    }

    private void requireFits(Batch batch) {
        if (settings.alike) {
            requireFits(batch.texts().stream().mapToInt(Batch.Text::length).sum());
        } else {
            requireApart(batch);
            requireFits(batch.tokens().length);
        }
    }

    private void requireFits(int tokens) {
        if (tokens > settings.tokens()) {
            throw new IllegalArgumentException(
                    "Training: a batch of %d tokens, the settings say at most %d".formatted(tokens, settings.tokens()));
        }
    }

    private static void requireApart(Batch batch) {
        if (!Arrays.equals(batch.begins(), batch.keyStart())) {
            throw new IllegalArgumentException("Training: documents begin alike, expected some with nothing in common");
        }
    }

    /// Waits for the step's micro-batches and reads what they found.
    public Result result() {
        double depths = Math.max(1, network.config.numNextnPredictLayers());
        int[][] load = new int[loads.size()][];
        for (int i = 0; i < load.length; i++) {
            load[i] = host(loads.get(i)).toInts();
        }
        return new Result(
                sum(losses, settings.tokens()) / stepTargets,
                sum(mtpLosses, settings.tokens()) / stepTargets / depths,
                host(balanceLoss).get(0),
                load);
    }

    private Tensor host(Tensor here) {
        Tensor host = Tensor.allocate(Arena.ofAuto(), here.dtype(), here.shape());
        network.device().download(here, host);
        return host;
    }

    private double sum(Tensor here, int count) {
        Tensor host = host(here);
        double sum = 0;
        for (long i = 0; i < count; i++) {
            sum += host.get(i);
        }
        return sum;
    }

    /// @return the gradients, in the order of [Model#parameters]
    public List<Tensor> gradients() {
        return gradients.parameters().stream().map(Parameter::value).toList();
    }

    /// @param name as in a checkpoint
    /// @return the gradient of a checkpoint's tensor, a view of one of [#gradients]
    /// @throws IllegalArgumentException where there is none of that name
    public Tensor gradient(String name) {
        if (gradients.places().get(name) instanceof Place.Values(Tensor gradient)) {
            return gradient;
        }
        throw new IllegalArgumentException("there is no tensor " + name);
    }

    /// Moves the router biases, where there are any, against the load of this step: after the optimizer's step
    /// (DeepSeek-V3 §2.1.2).
    ///
    /// @param gamma how far
    public void moveBiases(double gamma) {
        for (int i = 0; i < loads.size(); i++) {
            Tensor bias = biases.get(i);
            if (bias != null) {
                network.kernels.routing().balance(loads.get(i), gamma, bias);
            }
        }
    }

    /// Measures a batch without learning from it.
    ///
    /// @return the sum of the cross-entropy over the batch's targets, in nats
    public double evaluate(Batch batch) {
        requireFits(batch);
        try (var _ = workspace.scope()) {
            Pass p = pass(batch);
            Tensor targets = network.ints(workspace, batch.targets());
            Tensor normed = network.infer(p, network.ints(workspace, batch.tokens()), null);
            Tensor rowLosses = p.tensor(p.tokens());
            HeadLayer.losses(p, network.weights.head, normed, targets, rowLosses);
            return sum(rowLosses, p.tokens());
        }
    }

    @Override
    public void close() {
        memory.close();
    }
}
