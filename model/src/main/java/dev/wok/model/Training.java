package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.DryDevice;
import dev.wok.device.Memory;
import dev.wok.device.Workspace;
import dev.wok.fabric.Timeline;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Weight;
import dev.wok.notice.BadInput;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
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
    /// @param gradientParts how many parts of a micro-batch's sequences have sums of their own of
    ///     what all ranks have alike, a multiple of the ranks: the parts' sums are added in order,
    ///     so that a step has the same bits for any number of ranks; 1 where documents may begin
    ///     alike
    /// @param atOnce how many micro-batches of ranks that share a model are under way at once, 1 to 3,
    ///     and have memory. Of two or more two take turns, so that the tokens of one travel while the
    ///     other computes; of three one goes forward while another goes backward. It changes no bit
    public record Settings(
            int sequences,
            int length,
            double mtpLossWeight,
            double balanceAlpha,
            boolean asSampled,
            boolean alike,
            int gradientParts,
            int atOnce) {
        /// Micro-batches one after the other.
        public Settings(
                int sequences,
                int length,
                double mtpLossWeight,
                double balanceAlpha,
                boolean asSampled,
                boolean alike,
                int gradientParts) {
            this(sequences, length, mtpLossWeight, balanceAlpha, asSampled, alike, gradientParts, 1);
        }

        /// Gradients in one part.
        public Settings(
                int sequences,
                int length,
                double mtpLossWeight,
                double balanceAlpha,
                boolean asSampled,
                boolean alike) {
            this(sequences, length, mtpLossWeight, balanceAlpha, asSampled, alike, 1);
        }

        /// Logits in the form that training computes faster, of documents that have nothing in common.
        public Settings(int sequences, int length, double mtpLossWeight, double balanceAlpha) {
            this(sequences, length, mtpLossWeight, balanceAlpha, false, false);
        }

        public Settings {
            if (sequences < 1 || length < 1) {
                throw new IllegalArgumentException(
                        "Training: %d sequences of %d tokens, expected 1 or more".formatted(sequences, length));
            }
            if (atOnce < 1 || atOnce > MOST_AT_ONCE) {
                throw new IllegalArgumentException(
                        "Training: %d micro-batches at once, expected 1 to %d".formatted(atOnce, MOST_AT_ONCE));
            }
        }

        int tokens() {
            return Math.multiplyExact(sequences, length);
        }
    }

    /// One goes forward, one backward, and one is between the two.
    private static final int MOST_AT_ONCE = 3;

    /// Hears which gradients of [#flatParts] a step adds nothing more to.
    public interface Finished {
        /// @param from the first element; a step's ranges follow each other, from the last one to 0
        /// @param to behind the last
        void range(long from, long to);
    }

    /// What a step found.
    ///
    /// @param loss mean cross-entropy in nats per target, without the additional losses
    /// @param mtpLoss the same of multi-token prediction, the mean over its depths; 0 where there is none
    /// @param balanceLoss the sequence-wise balance loss, its weight included
    /// @param load `[MoE layer][expert]`: how many tokens of the step chose each expert; multi-token prediction's
    ///     layers follow the main model's
    public record Result(double loss, double mtpLoss, double balanceLoss, int[][] load) {}

    /// What experts of this rank computed on their way forward, of ranks that share a model.
    ///
    /// @param rows that came to them, from any rank
    /// @param nanos that their products took: nobody waits in them
    public record ExpertWork(long rows, long nanos) {}

    private final Network network;
    private final Ranks ranks;
    private final Settings settings;
    private final Memory memory;
    private final Weights gradients;

    /// The gradients of each part in one tensor, or none where they lie one by one.
    private final List<Tensor> flat = new ArrayList<>();

    /// See [Parts].
    private final List<Map<Tensor, Tensor>> furtherParts = new ArrayList<>();

    /// Parts on this rank.
    private final int parts;

    /// Rows of a part, at most.
    private final int partRows;

    /// One for each micro-batch that is under way at once.
    private final List<Room> rooms = new ArrayList<>();

    /// Computes the micro-batches of a step where each rank has all layers.
    private final Pairs pairs;

    /// Does so where the layers are dealt to ranks.
    private final @Nullable Pipeline pipeline;

    /// Where the gradients of each layer begin in [#flat], and where those behind the last one; none where they
    /// lie one by one.
    private final long[] layerBegins;

    private final Tensor losses;
    private final Tensor mtpLosses;

    /// By layer: passes that take turns add to one layer's in their order.
    private final List<Tensor> balanceLosses = new ArrayList<>();

    private final List<Tensor> loads = new ArrayList<>();

    private final List<@Nullable Tensor> biases = new ArrayList<>();
    private long stepTargets = 1;
    private int stepSequences = 1;

    /// What the ranks that share the model have counted together, once they were asked for it.
    private int @Nullable [][] sharedLoad;

    Training(Network network, Settings settings) {
        this(network, settings, null);
    }

    private Training(Network network, Settings settings, @Nullable Workspace measuring) {
        this.network = network;
        this.settings = settings;
        ranks = network.ranks;
        requireParts(settings);
        parts = settings.gradientParts / ranks.size();
        partRows = settings.gradientParts == 1
                ? settings.tokens()
                : Math.multiplyExact(Math.ceilDiv(settings.sequences, settings.gradientParts), settings.length);
        memory = network.device().memory();
        if (network.isFlat() || settings.gradientParts > 1 || ranks.stages() != null) {
            FlatMemory first = FlatMemory.of(network.config, ranks, memory, network.dtype);
            gradients = gradients(first);
            layerBegins = layerBegins(first.flat(gradients.parameters()));
            for (int part = 1; part < parts; part++) {
                furtherParts.add(together(gradients, gradients(first.another(memory))));
            }
        } else {
            gradients = new Weights(network.config, memory, network.dtype);
            layerBegins = new long[0];
        }
        losses = memory.tensor(network.dtype, (long) parts * partRows);
        mtpLosses = memory.tensor(network.dtype, (long) parts * partRows);
        List<Weights.Layer> layers = new ArrayList<>(network.weights.layers);
        network.weights.mtp.forEach(m -> layers.add(m.layer()));
        for (Weights.Layer layer : layers) {
            if (layer.feedForward() instanceof Weights.Moe moe) {
                loads.add(memory.tensor(DType.I32, moe.gate().dim(0)));
                balanceLosses.add(memory.tensor(network.dtype, parts));
                biases.add(moe.bias());
            }
        }
        pipeline = ranks.stages() == null ? null : pipeline(ranks.stages());
        if (measuring != null) {
            rooms.add(room(measuring));
        } else if (pipeline == null) {
            long bytes = Measured.of(network.config, network.dtype, settings, Ranks.dry(ranks.size(), ranks.replicas()))
                    .workspace;
            for (int i = 0; i < (ranks.share() ? settings.atOnce : 1); i++) {
                rooms.add(room(Workspace.of(memory, bytes)));
            }
        }
        pairs = new Pairs(this, ranks.fabric(), rooms.size());
    }

    private long[] layerBegins(Flat of) {
        int layers = network.config.numHiddenLayers();
        long[] begins = new long[layers + 1];
        Arrays.fill(begins, of.values().elements());
        for (Flat.Piece piece : of.pieces()) {
            String name = piece.parameter().name();
            if (!name.equals(Weights.EMBEDDING)) {
                int layer = Weights.layer(name);
                int at = layer < 0 ? layers : Math.min(layer, layers);
                begins[at] = Math.min(begins[at], piece.from());
            }
        }
        return begins;
    }

    /// @return on a dry device one that measures
    private Pipeline pipeline(Stages stages) {
        if (ranks.measures() && network.device() instanceof DryDevice device) {
            return Pipeline.dry(network, this, gradients, memory, device);
        }
        int tokens = most().batch.tokens().length;
        return new Pipeline(
                network, this, gradients, memory, tokens, sizes(network.config, settings, stages, ranks.place()));
    }

    private static Pipeline.Sizes sizes(ModelConfig config, Settings settings, Stages stages, int place) {
        try (DryDevice device = Device.dry();
                Training training = new Training(dry(config, device, DType.F32, Ranks.dry(stages, place)), settings)) {
            return Objects.requireNonNull(training.pipeline).measure();
        }
    }

    /// @return the largest micro-batch, whatever is in it
    Share most() {
        int tokens = settings.tokens();
        int[] none = new int[tokens];
        int[] alone = IntStream.range(0, tokens).toArray();
        return share(new Batch(settings.sequences, settings.length, none, none, none, alone));
    }

    /// Memory for the values of a pass.
    private record Room(Workspace workspace, @Nullable Guests visitors) {
        Workspace.Scope scope() {
            return Guests.scope(workspace, visitors);
        }

        void close() {
            if (visitors != null) {
                visitors.close();
            }
        }
    }

    private Room room(Workspace workspace) {
        return new Room(workspace, ranks.exchange() ? new Guests(network.device()) : null);
    }

    private void requireParts(Settings settings) {
        if (settings.gradientParts % ranks.size() != 0) {
            throw new BadInput("gradients in %d parts do not spread evenly over %d ranks, expected a multiple."
                    .formatted(settings.gradientParts, ranks.size()));
        }
        if (settings.gradientParts > 1 && settings.alike) {
            throw new IllegalArgumentException(
                    "Training: gradients in %d parts of documents that may begin alike, expected 1"
                            .formatted(settings.gradientParts));
        }
    }

    private Weights gradients(FlatMemory memory) {
        flat.add(memory.values());
        return new Weights(network.config, memory, network.dtype, null, ranks);
    }

    private static Map<Tensor, Tensor> together(Weights first, Weights other) {
        Map<Tensor, Tensor> together = new IdentityHashMap<>();
        for (int i = 0; i < first.parameters().size(); i++) {
            together.put(
                    first.parameters().get(i).value(), other.parameters().get(i).value());
        }
        return together;
    }

    /// What a micro-batch of the largest size takes on a rank.
    ///
    /// @param visitors bytes of rows that come from other ranks, where as many come to each
    private record Measured(long workspace, long visitors) {
        static Measured of(ModelConfig config, DType dtype, Settings settings, Ranks ranks) {
            try (DryDevice device = Device.dry()) {
                Workspace workspace = Workspace.measuring(device);
                Training training = new Training(dry(config, device, dtype, ranks), settings, workspace);
                int sequences = Math.ceilDiv(settings.sequences, ranks.size());
                int tokens = Math.multiplyExact(sequences, settings.length);
                int[] alone = IntStream.range(0, tokens).toArray();
                int[] none = new int[tokens];
                Share most =
                        new Share(new Batch(sequences, settings.length, none, none, none, alone), Parts.whole(tokens));
                if (settings.alike && tokens > 2) {
                    training.accumulateLogits(alike(tokens - 1), (_, _) -> {});
                }
                training.accumulate(most, training.rooms.getFirst());
                if (settings.gradientParts == 1) {
                    training.accumulateLogits(most.batch, (_, _) -> {});
                }
                Guests visitors = training.rooms.getFirst().visitors;
                return new Measured(workspace.peakBytes(), visitors == null ? 0 : visitors.peakBytes());
            }
        }
    }

    private static Network dry(ModelConfig config, DryDevice device, DType dtype, Ranks ranks) {
        Memory memory = device.memory();
        return new Network(config, Kernels.on(device.stream()), memory, dtype, null, Weights.Supply.of(memory), ranks);
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
        return bytes(config, dtype, settings, 1, 0);
    }

    /// As [#bytes(ModelConfig, DType, Settings)], on a rank of a group. Tokens that come from other
    /// ranks are counted half as often again as an even spread brings: what it takes beyond that is
    /// known only when they come.
    ///
    /// @param ranks how many share the model
    /// @param expertReplicas see [Sharing]
    public static long bytes(ModelConfig config, DType dtype, Settings settings, int ranks, int expertReplicas) {
        try (DryDevice device = Device.dry()) {
            Ranks first = Ranks.dry(ranks, expertReplicas);
            Training training = new Training(dry(config, device, dtype, first), settings);
            long visitors = Measured.of(config, dtype, settings, first).visitors;
            return training.bytes() + training.rooms.size() * (visitors + visitors / 2);
        }
    }

    /// As [#bytes(ModelConfig, DType, Settings)] in float32, on a rank of a pipeline.
    ///
    /// @param ranks that the layers are dealt to
    /// @param rank which of them
    public static long pipelineBytes(ModelConfig config, Settings settings, int ranks, int rank) {
        Stages stages = Stages.of(config, ranks);
        Pipeline.Sizes sizes = sizes(config, settings, stages, rank);
        try (DryDevice device = Device.dry()) {
            Ranks one = Ranks.dry(stages, rank);
            Training training = new Training(dry(config, device, DType.F32, one), settings);
            return training.bytes() + Pipeline.bytes(stages, rank, settings.tokens(), config.hiddenSize(), sizes);
        }
    }

    /// @return the bytes of this one
    long bytes() {
        return memory.bytes();
    }

    /// Begins a step: gradients, losses and loads are zero. Of a model that ranks share, all of
    /// them make this call and [#accumulate(Batch)], [#result], [#moveBiases] and [#evaluate], with
    /// the same arguments.
    ///
    /// @param targets how many tokens of all the step's micro-batches have a target
    /// @param sequences how many sequences they hold
    public void begin(long targets, int sequences) {
        stepTargets = Math.max(1, targets);
        stepSequences = Math.max(1, sequences);
        sharedLoad = null;
        var elementwise = network.kernels.elementwise();
        flat.forEach(values -> elementwise.fill(values, 0));
        gradients.parameters().stream()
                .filter(p -> flat.isEmpty() || Weights.isRouted(p.name()))
                .forEach(p -> elementwise.fill(p.value(), 0));
        loads.forEach(load -> elementwise.fill(load, 0));
        elementwise.fill(losses, 0);
        elementwise.fill(mtpLosses, 0);
        balanceLosses.forEach(of -> elementwise.fill(of, 0));
    }

    /// What this rank has of a micro-batch.
    ///
    /// @param batch its sequences
    record Share(Batch batch, Parts parts) {}

    /// Deals the sequences to parts.
    private Share share(Batch batch) {
        if (settings.gradientParts == 1) {
            return new Share(batch, Parts.whole(batch.tokens().length));
        }
        int first = ranks.rank() * parts;
        int[] bounds = new int[parts + 1];
        for (int part = 0; part <= parts; part++) {
            bounds[part] = firstSequence(batch, first + part);
        }
        for (int part = 1; part < parts; part++) {
            batch.requireApart(bounds[part]);
        }
        Batch own = batch.sequences(bounds[0], bounds[parts]);
        int from = bounds[0];
        for (int part = 0; part <= parts; part++) {
            bounds[part] = (bounds[part] - from) * batch.length();
        }
        return new Share(own, new Parts(bounds, furtherParts));
    }

    private int firstSequence(Batch batch, int part) {
        return (int) ((long) batch.sequences() * part / settings.gradientParts);
    }

    /// Adds a micro-batch's losses, loads and gradients.
    ///
    /// @param batch at most as large as the settings say, and whole whatever rank this is; where
    ///     gradients have several parts, no document lies in more than one of them
    ///
    /// @throws IllegalStateException where the layers are dealt to ranks, which take all of a step's
    ///     together
    public void accumulate(Batch batch) {
        requireAllLayers();
        sharedLoad = null;
        accumulate(fitting(batch), rooms.getFirst());
    }

    private void requireAllLayers() {
        if (pipeline != null) {
            throw new IllegalStateException("a pipeline's ranks take the micro-batches of a step together");
        }
    }

    /// Adds a step's micro-batches in their order, and notes when each is computed. Two at a time
    /// take turns where the settings say so.
    ///
    /// @throws IllegalArgumentException where the layers are dealt to ranks, and there are fewer than
    ///     two for each
    public void accumulate(List<Batch> batches) {
        accumulate(batches, (_, _) -> {});
    }

    /// As [#accumulate(List)].
    ///
    /// @param finished hears, while the last one is computed, which gradients are done: all of those in
    ///     [#flatParts], on all ranks in the same order
    public void accumulate(List<Batch> batches, Finished finished) {
        sharedLoad = null;
        List<Share> shares = batches.stream().map(this::fitting).toList();
        if (pipeline != null) {
            pipeline.run(shares);
            finished.range(0, flat.getFirst().elements());
        } else {
            pairs.run(shares, finished);
        }
    }

    private Share fitting(Batch batch) {
        requireFits(batch);
        requireApart(batch);
        return share(batch);
    }

    private void accumulate(Share share, Room where) {
        try (Begun begun = forward(share, where, 0, Turn.ALONE)) {
            backward(begun, Turn.ALONE, (_, _) -> {});
        }
    }

    /// A micro-batch between its two passes.
    ///
    /// @param scope of its values
    record Begun(
            int number,
            Share share,
            Pass pass,
            List<RouterLayer.Balance> balances,
            Network.Saved saved,
            Workspace.Scope scope)
            implements AutoCloseable {
        @Override
        public void close() {
            scope.close();
        }
    }

    /// @param number of a micro-batch in its step: its values are where those of an earlier one were, which has
    ///     gone backward
    Begun forward(Share share, int number, Turn turn) {
        return forward(share, rooms.get(number % rooms.size()), number, turn);
    }

    private Begun forward(Share share, Room where, int number, Turn turn) {
        Workspace.Scope scope = where.scope();
        try (var _ = span(number)) {
            Pass p = pass(share, where, turn);
            Tensor ids = network.ints(where.workspace, share.batch.tokens());
            List<RouterLayer.Balance> balances = balances(p, share.batch);
            Network.Saved saved = network.forward(p, ids, balances.subList(0, network.config.numHiddenLayers()));
            return new Begun(number, share, p, balances, saved, scope);
        } catch (RuntimeException | Error e) {
            scope.close();
            throw e;
        }
    }

    private Timeline.Span span(int number) {
        return ranks.fabric().timeline().span(Timeline.Kind.COMPUTE, Timeline.MICRO_BATCH, number);
    }

    /// @param finished hears which gradients this one is the last to add to
    void backward(Begun begun, Turn turn, Finished finished) {
        try (var _ = span(begun.number)) {
            Pass p = begun.pass.with(turn);
            Batch batch = begun.share.batch;
            int layers = network.config.numHiddenLayers();
            List<RouterLayer.Balance> balances = begun.balances;
            Network.Saved saved = begun.saved;
            Tensor dNormed = p.rows(network.config.hiddenSize());
            turn.follow();
            Learned learned =
                    learn(p, batch, balances.subList(layers, balances.size()), saved.normed(), gradients.head, dNormed);
            network.backward(
                    p,
                    gradients,
                    saved,
                    balances.subList(0, layers),
                    dNormed,
                    learned.further,
                    layer -> tell(finished, layer));
        }
    }

    /// What the heads leave.
    ///
    /// @param normed `[tokens, hidden]` each: what the main model's head saw, and that of each depth
    ///     of multi-token prediction
    /// @param further embeddings whose gradient is not added yet
    record Learned(List<Tensor> normed, List<Network.LookedUp> further) {}

    /// Adds the losses of the main model's head and of multi-token prediction, and takes their
    /// gradients back to it.
    ///
    /// @param balances of multi-token prediction
    /// @param normed `[tokens, hidden]`, after the final norm
    /// @param dHead accumulated into; null where [#headGradients] does that later
    /// @param dNormed `[tokens, hidden]`, written
    Learned learn(
            Pass p,
            Batch batch,
            List<RouterLayer.Balance> balances,
            Tensor normed,
            @Nullable Weight dHead,
            Tensor dNormed) {
        Tensor targets = network.ints(p.workspace(), batch.targets());
        Tensor rowLosses = p.tensor(p.tokens());
        try (var _ = p.span("head")) {
            HeadLayer.lossesAndGradients(
                    p, network.weights.head, dHead, normed, targets, 1.0 / stepTargets, rowLosses, dNormed);
        }
        add(p, rowLosses, losses);
        if (network.config.numNextnPredictLayers() > 0) {
            return predictFurther(p, batch, balances, normed, rowLosses, dHead, dNormed);
        }
        headsAreDone(p);
        return new Learned(List.of(normed), List.of());
    }

    /// Adds to the head's gradient what [#learn] left out.
    ///
    /// @param normed of [Learned]; nothing where nothing was left out
    void headGradients(Pass p, Batch batch, List<Tensor> normed) {
        for (int k = 0; k < normed.size(); k++) {
            try (var _ = p.workspace().scope()) {
                Tensor targets = network.ints(p.workspace(), k == 0 ? batch.targets() : batch.followingTargets(k));
                double factor = k == 0 ? 1.0 / stepTargets : furtherFactor();
                HeadLayer.weightGradient(p, network.weights.head, gradients.head, normed.get(k), targets, factor);
            }
        }
    }

    /// @return what each loss of multi-token prediction counts
    private double furtherFactor() {
        return settings.mtpLossWeight / network.config.numNextnPredictLayers() / stepTargets;
    }

    /// @param layer whose gradients are done as are those behind it; -1 where all are
    private void tell(Finished finished, int layer) {
        if (layerBegins.length > 0) {
            int last = layerBegins.length - 1;
            long to = layer == last ? flat.getFirst().elements() : layerBegins[layer + 1];
            finished.range(layer < 0 ? 0 : layerBegins[layer], to);
        }
    }

    /// Adds a micro-batch's loads, and the gradients of a loss of its logits; no cross-entropy is
    /// counted. Multi-token prediction learns nothing.
    ///
    /// @param batch at most as large as the settings say
    /// @param loss is shown the logits before each target; what its gradients add up to over a step
    ///     is the caller's
    /// @throws IllegalStateException where ranks share the model, or gradients have several parts
    public void accumulate(Batch batch, LogitLoss loss) {
        requireAllLayers();
        requireFits(batch);
        requireOnePart();
        accumulateLogits(batch, loss);
    }

    private void requireOnePart() {
        if (settings.gradientParts > 1) {
            throw new IllegalStateException(
                    "losses of logits have gradients in one part, these have %d".formatted(settings.gradientParts));
        }
    }

    private void accumulateLogits(Batch batch, LogitLoss loss) {
        Room room = rooms.getFirst();
        try (var _ = room.scope()) {
            Pass p = pass(batch, room);
            List<RouterLayer.Balance> balances = balances(p, batch).subList(0, network.config.numHiddenLayers());
            Network.Saved saved = network.forward(p, network.ints(p.workspace(), batch.tokens()), balances);
            Tensor dNormed = p.rows(network.config.hiddenSize());
            Weights w = network.weights;
            HeadLayer.gradients(p, w.head, gradients.head, saved.normed(), batch.targetRows(), loss, dNormed);
            network.backward(p, gradients, saved, balances, dNormed, List.of(), _ -> {});
        }
    }

    /// Shows a loss the logits that [#accumulate(Batch, LogitLoss)] would, bit for bit, and learns
    /// nothing.
    public void score(Batch batch, LogitLoss loss) {
        requireAllLayers();
        requireFits(batch);
        requireOnePart();
        Room room = rooms.getFirst();
        try (var _ = room.scope()) {
            Pass p = pass(batch, room);
            Tensor normed = network.infer(p, network.ints(p.workspace(), batch.tokens()), null);
            HeadLayer.gradients(p, network.weights.head, null, normed, batch.targetRows(), loss, null);
        }
    }

    private Pass pass(Batch batch, Room where) {
        return settings.asSampled
                ? network.passAsSampled(where.workspace, batch)
                : network.pass(where.workspace, batch);
    }

    private Pass pass(Share share, Room where, Turn turn) {
        return pass(share.batch, where).with(share.parts, where.visitors, turn);
    }

    /// @param sum `[parts * partRows]`
    private void add(Pass p, Tensor rowLosses, Tensor sum) {
        p.parts().each((part, from, to) -> {
            long at = (long) part * partRows;
            Tensor rows = sum.slice(0, at, at + to - from);
            network.kernels.elementwise().add(rows, rowLosses.slice(0, from, to), rows);
        });
    }

    /// Lets the pass that takes turns with this one add to the head's gradient. Where the head is
    /// the embedding, this one adds to it once more, at its very end.
    private void headsAreDone(Pass p) {
        if (!network.config.tieWordEmbeddings()) {
            p.turn().lead();
        }
    }

    /// Forward and backward of all depths of multi-token prediction; adds to the main model's gradient.
    private Learned predictFurther(
            Pass p,
            Batch batch,
            List<RouterLayer.Balance> balances,
            Tensor normed,
            Tensor rowLosses,
            @Nullable Weight dHead,
            Tensor dNormed) {
        int depths = network.config.numNextnPredictLayers();
        double factor = furtherFactor();
        List<Tensor> seen = new ArrayList<>(List.of(normed));
        Weights w = network.weights;
        List<MtpLayer.Saved> saved = new ArrayList<>();
        List<Tensor> dOutputs = new ArrayList<>();
        Tensor hidden = normed;
        for (int k = 0; k < depths; k++) {
            Tensor ids = network.ints(p.workspace(), batch.following(k + 1));
            MtpLayer.Saved s = network.mtp(k).forward(p, w.mtp.get(k), w.embedding, hidden, ids, balances.get(k));
            Tensor targets = network.ints(p.workspace(), batch.followingTargets(k + 1));
            Tensor dOutput = p.rows(network.config.hiddenSize());
            HeadLayer.lossesAndGradients(p, w.head, dHead, s.normed(), targets, factor, rowLosses, dOutput);
            add(p, rowLosses, mtpLosses);
            seen.add(s.normed());
            saved.add(s);
            dOutputs.add(dOutput);
            hidden = s.h();
        }
        headsAreDone(p);
        List<Network.LookedUp> further = new ArrayList<>();
        Tensor dh = p.rows(network.config.hiddenSize());
        Tensor dPrevious = p.rows(network.config.hiddenSize());
        network.kernels.elementwise().fill(dh, 0);
        for (int k = depths - 1; k >= 0; k--) {
            if (k > 0) {
                network.kernels.elementwise().fill(dPrevious, 0);
            }
            further.add(new Network.LookedUp(saved.get(k).ids(), p.rows(network.config.hiddenSize())));
            network.mtp(k)
                    .backward(
                            p,
                            w.mtp.get(k),
                            gradients.mtp.get(k),
                            saved.get(k),
                            balances.get(k),
                            dOutputs.get(k),
                            dh,
                            k > 0 ? dPrevious : dNormed,
                            further.getLast().d());
            Tensor swap = dh;
            dh = dPrevious;
            dPrevious = swap;
        }
        return new Learned(seen, further);
    }

    /// One per layer that lies here; dense layers have one that counts nothing.
    List<RouterLayer.Balance> balances(Pass p, Batch batch) {
        RouterLayer.Balance none = network.unwatched(p.workspace());
        List<RouterLayer.Balance> balances = new ArrayList<>();
        int next = 0;
        for (int i : network.numbers()) {
            balances.add(
                    network.config.isMoe(i)
                            ? new RouterLayer.Balance(
                                    loads.get(next),
                                    batch.length(),
                                    settings.balanceAlpha,
                                    stepSequences,
                                    balanceLosses.get(next++))
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
            int most = Math.ceilDiv(batch.sequences(), settings.gradientParts) * batch.length();
            if (most > partRows) {
                throw new IllegalArgumentException(
                        "Training: a part of %d tokens, the settings say at most %d".formatted(most, partRows));
            }
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
        if (pipeline != null) {
            List<StageFinds> all = StageFinds.gather(finds(), ranks);
            List<StageFinds.Layer> layers =
                    StageFinds.layers(all, network.config, Objects.requireNonNull(ranks.stages()));
            int[][] load = layers.stream().map(StageFinds.Layer::load).toArray(int[][]::new);
            StageFinds ends = all.getFirst();
            return result(
                    ends.losses(),
                    ends.mtpLosses(),
                    layers.stream().map(StageFinds.Layer::balance).toList(),
                    load);
        }
        StageFinds own = finds();
        return result(
                own.losses(),
                own.mtpLosses(),
                own.layers().stream().map(StageFinds.Layer::balance).toList(),
                load());
    }

    /// @return what this rank found
    private StageFinds finds() {
        double[] main = new double[parts];
        double[] further = new double[parts];
        for (int part = 0; part < parts; part++) {
            long from = (long) part * partRows;
            main[part] = sum(losses.slice(0, from, from + partRows));
            further[part] = sum(mtpLosses.slice(0, from, from + partRows));
        }
        List<StageFinds.Layer> layers = new ArrayList<>();
        for (int i = 0; i < loads.size(); i++) {
            Tensor balance = host(balanceLosses.get(i));
            double[] ofParts =
                    IntStream.range(0, parts).mapToDouble(balance::get).toArray();
            layers.add(new StageFinds.Layer(ofParts, host(loads.get(i)).toInts()));
        }
        return new StageFinds(main, further, layers);
    }

    /// @param main `[parts]`
    /// @param further `[parts]`
    /// @param balances `[parts]` for each layer with experts
    private Result result(double[] main, double[] further, List<double[]> balances, int[][] load) {
        double depths = Math.max(1, network.config.numNextnPredictLayers());
        double[] mine = new double[3 * parts];
        for (int part = 0; part < parts; part++) {
            mine[3 * part] = main[part];
            mine[3 * part + 1] = further[part];
            for (double[] balance : balances) {
                mine[3 * part + 2] += balance[part];
            }
        }
        double[] sums = new double[3];
        double[] all = gathered(mine);
        for (int i = 0; i < all.length; i++) {
            sums[i % 3] += all[i];
        }
        return new Result(sums[0] / stepTargets, sums[1] / stepTargets / depths, sums[2], load);
    }

    /// @return what all ranks have, in their order
    private double[] gathered(double... mine) {
        if (!ranks.share()) {
            return mine;
        }
        ByteBuffer bytes = ByteBuffer.allocate(Math.multiplyExact(mine.length, Double.BYTES));
        bytes.asDoubleBuffer().put(mine);
        return ranks.fabric().allGather(bytes.array()).stream()
                .flatMapToDouble(theirs -> {
                    double[] values = new double[theirs.length / Double.BYTES];
                    ByteBuffer.wrap(theirs).asDoubleBuffer().get(values);
                    return Arrays.stream(values);
                })
                .toArray();
    }

    /// @return the load of all ranks
    private int[][] load() {
        if (!ranks.share()) {
            return ownLoad();
        }
        if (sharedLoad == null) {
            sharedLoad = summed(ownLoad());
        }
        return sharedLoad;
    }

    private int[][] ownLoad() {
        return loads.stream().map(load -> host(load).toInts()).toArray(int[][]::new);
    }

    /// @param load of this rank; becomes that of all
    private int[][] summed(int[][] load) {
        double[] all = gathered(Arrays.stream(load)
                .flatMapToInt(Arrays::stream)
                .asDoubleStream()
                .toArray());
        int from = 0;
        int each = all.length / ranks.size();
        for (int[] layer : load) {
            for (int e = 0; e < layer.length; e++, from++) {
                layer[e] = 0;
                for (int rank = 0; rank < ranks.size(); rank++) {
                    layer[e] += (int) all[rank * each + from];
                }
            }
        }
        return load;
    }

    private Tensor host(Tensor here) {
        Tensor host = Tensor.allocate(Arena.ofAuto(), here.dtype(), here.shape());
        network.device().download(here, host);
        return host;
    }

    private double sum(Tensor here) {
        Tensor host = host(here);
        double sum = 0;
        for (long i = 0; i < host.elements(); i++) {
            sum += host.get(i);
        }
        return sum;
    }

    /// @return the gradients, in the order of [Model#parameters]
    /// @throws IllegalStateException where they have several parts: see [#flatParts]
    public List<Tensor> gradients() {
        requireWhole();
        return gradients.parameters().stream().map(Parameter::value).toList();
    }

    /// @return the gradients of what all ranks have alike, a tensor for each of this rank's parts,
    ///     laid out as [Model#flat]
    /// @throws IllegalStateException where there is one part, and the model is not flat
    public List<Tensor> flatParts() {
        if (flat.isEmpty()) {
            throw new IllegalStateException("these gradients lie one by one, expected a model with a fabric");
        }
        return Collections.unmodifiableList(flat);
    }

    /// @return the gradients of this rank's routed experts, in the order of [Model#expertParameters]
    public List<Tensor> expertGradients() {
        return gradients.parameters().stream()
                .filter(parameter -> Weights.isRouted(parameter.name()))
                .map(Parameter::value)
                .toList();
    }

    private void requireWhole() {
        if (settings.gradientParts > 1) {
            throw new IllegalStateException(
                    "gradients in %d parts are not summed yet".formatted(settings.gradientParts));
        }
    }

    /// @param name as in a checkpoint
    /// @return the gradient of a checkpoint's tensor, a view of one of [#gradients]
    /// @throws IllegalArgumentException where there is none of that name
    /// @throws IllegalStateException where gradients have several parts: see [#flatParts]
    public Tensor gradient(String name) {
        requireWhole();
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
        if (biases.stream().allMatch(Objects::isNull)) {
            return;
        }
        if (!ranks.share()) {
            for (int i = 0; i < loads.size(); i++) {
                moveBias(i, loads.get(i), gamma);
            }
            return;
        }
        Workspace workspace = rooms.getFirst().workspace;
        int[][] all = load();
        for (int i = 0; i < all.length; i++) {
            try (var _ = workspace.scope()) {
                moveBias(i, network.ints(workspace, all[i]), gamma);
            }
        }
    }

    private void moveBias(int number, Tensor load, double gamma) {
        Tensor bias = biases.get(number);
        if (bias != null) {
            network.kernels.routing().balance(load, gamma, bias);
        }
    }

    /// @return what was computed since this was asked last, whether in steps or not
    public ExpertWork takeExpertWork() {
        long rows = 0;
        long nanos = 0;
        for (Room room : rooms) {
            if (room.visitors != null) {
                ExpertWork work = room.visitors.takeWork();
                rows += work.rows;
                nanos += work.nanos;
            }
        }
        return new ExpertWork(rows, nanos);
    }

    /// Measures a batch without learning from it.
    ///
    /// @return the sum of the cross-entropy over the batch's targets, in nats
    public double evaluate(Batch batch) {
        requireFits(batch);
        Share share = share(batch);
        double sum = 0;
        for (double part : pipeline == null ? gathered(evaluate(share)) : pipeline.evaluate(share)) {
            sum += part;
        }
        return sum;
    }

    private double[] evaluate(Share share) {
        Room room = rooms.getFirst();
        try (var _ = room.scope()) {
            Pass p = pass(share, room, Turn.ALONE);
            return losses(p, share, network.infer(p, network.ints(p.workspace(), share.batch.tokens()), null));
        }
    }

    /// @param normed `[tokens, hidden]`
    /// @return the sum of the losses of each part
    double[] losses(Pass p, Share share, Tensor normed) {
        Tensor targets = network.ints(p.workspace(), share.batch.targets());
        Tensor rowLosses = p.tensor(p.tokens());
        HeadLayer.losses(p, network.weights.head, normed, targets, rowLosses);
        double[] mine = new double[parts];
        p.parts().each((part, from, to) -> mine[part] = sum(rowLosses.slice(0, from, to)));
        return mine;
    }

    @Override
    public void close() {
        pairs.close();
        rooms.forEach(Room::close);
        memory.close();
    }
}
