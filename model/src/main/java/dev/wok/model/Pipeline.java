package dev.wok.model;

import dev.wok.device.DryDevice;
import dev.wok.device.Memory;
import dev.wok.device.Workspace;
import dev.wok.fabric.DualPipe;
import dev.wok.fabric.Fabric;
import dev.wok.fabric.Passage;
import dev.wok.fabric.Serving;
import dev.wok.fabric.Timeline;
import dev.wok.fabric.Transfer;
import dev.wok.fabric.Urgency;
import dev.wok.model.PipelinePlan.Compute;
import dev.wok.model.PipelinePlan.Expect;
import dev.wok.model.PipelinePlan.Visit;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/// A rank's part in training a model whose layers are dealt to the ranks of a folded pipeline
/// ([DualPipe#vShape]): micro-batches go down through the ranks and come back, and their gradients the
/// other way.
///
/// All additions to a sum are made in the order in which one rank makes them. Through each stage
/// micro-batches pass in their order, so that needs care in one place alone: the embedding gets
/// gradients from both ends of the model. Those from its end wait for the others, and where the
/// embedding is the head too, its gradient as a head is computed then.
final class Pipeline {
    /// Room for gradients of a stage whose input comes from this rank: one that is used, one that
    /// comes.
    private static final int OWN_GRADIENTS = 2;

    private final Network network;
    private final Training training;
    private final Weights gradients;
    private final Stages stages;
    private final int place;
    private final Memory memory;
    private final long tokens;
    private final Side near;
    private final Side far;

    /// For what a pass needs no longer than it lasts.
    private final Workspace scratch;

    /// Bytes that the values of a forward pass take in either stage, and those that no pass keeps.
    record Sizes(long near, long far, long scratch) {}

    /// @param memory for activations
    Pipeline(Network network, Training training, Weights gradients, Memory memory, long tokens, Sizes sizes) {
        this(
                network,
                training,
                gradients,
                memory,
                tokens,
                counts(stages(network), network.ranks.place()),
                List.of(
                        () -> Workspace.of(memory, sizes.near),
                        () -> Workspace.of(memory, sizes.far),
                        () -> Workspace.of(memory, sizes.scratch)));
    }

    private Pipeline(
            Network network,
            Training training,
            Weights gradients,
            Memory memory,
            long tokens,
            int[] counts,
            List<Supplier<Workspace>> workspaces) {
        this.network = network;
        this.training = training;
        this.gradients = gradients;
        this.memory = memory;
        this.tokens = tokens;
        stages = stages(network);
        place = network.ranks.place();
        near = new Side(place, 0, counts[0], counts[1], workspaces.get(0));
        far = new Side(stages.count() - 1 - place, stages.layers(place), counts[2], counts[3], workspaces.get(1));
        scratch = workspaces.get(2).get();
    }

    /// @return one that [#measure]s
    static Pipeline dry(Network network, Training training, Weights gradients, Memory memory, DryDevice device) {
        Supplier<Workspace> measuring = () -> Workspace.measuring(device);
        return new Pipeline(
                network,
                training,
                gradients,
                memory,
                training.most().batch().tokens().length,
                new int[] {1, 1, 1, 1},
                List.of(measuring, measuring, measuring));
    }

    /// @return what the largest micro-batch takes, where nothing travels
    Sizes measure() {
        Training.Share most = training.most();
        for (Side side : List.of(near, far)) {
            Tensor input = side.isFirst()
                    ? null
                    : layout(new Visit(true, 0, side.stage), most).rows(message(tokens));
            side.slot(0).keep(forward(side, side.slot(0), most, input));
        }
        for (Side side : List.of(far, near)) {
            Tensor d = layout(new Visit(false, 0, side.stage), most).rows(message(tokens));
            backward(side, side.slot(0).kept(), near.slot(0).kept().late, d);
        }
        try (var _ = scratch.scope()) {
            Pass p = pass(most);
            network.ints(scratch, most.batch().tokens());
            Tensor x = p.rows(network.config.hiddenSize());
            StageReads.here(network, p, x, p.rows(network.config.hiddenSize()));
            if (place == 0) {
                training.losses(p, most, network.finalNorm(p, x, p.tensor(p.tokens())));
            }
        }
        return new Sizes(
                near.slot(0).workspace.peakBytes(), far.slot(0).workspace.peakBytes(), scratch.peakBytes());
    }

    private Pass pass(Training.Share share) {
        return network.pass(scratch, share.batch()).with(share.parts(), null);
    }

    private static Stages stages(Network network) {
        return Objects.requireNonNull(network.ranks.stages(), "this model's layers are not dealt to ranks");
    }

    /// @return for either stage how many micro-batches are under way in it, and for how many gradients
    ///     there is room: once a micro-batch has come to this stage, those that the stage before it
    ///     has let go have gone from here
    private static int[] counts(Stages stages, int place) {
        int ranks = stages.ranks();
        DualPipe schedule = DualPipe.vShape(ranks, 4 * ranks);
        PipelinePlan own = PipelinePlan.of(schedule, place);
        int before = place == 0
                ? OWN_GRADIENTS
                : PipelinePlan.of(schedule, place - 1).near();
        int behind = place == ranks - 1
                ? OWN_GRADIENTS
                : PipelinePlan.of(schedule, place + 1).far();
        return new int[] {own.near(), before, own.far(), behind};
    }

    /// @return the bytes that a rank keeps for micro-batches of so many tokens
    static long bytes(Stages stages, int place, long tokens, long hidden, Sizes sizes) {
        int[] counts = counts(stages, place);
        long message = StageLayout.floats(tokens, hidden) * Float.BYTES;
        long inputs = (place > 0 ? counts[0] : 0) + (place < stages.ranks() - 1 ? counts[2] : 0);
        return counts[0] * sizes.near
                + counts[2] * sizes.far
                + sizes.scratch
                + (inputs + counts[1] + counts[3]) * message;
    }

    /// One of the two stages of this rank.
    private final class Side {
        final int stage;

        /// The first layer, counted over those that lie here.
        final int from;

        final int to;
        private final List<Slot> slots = new ArrayList<>();
        private final List<Gradient> gradients = new ArrayList<>();

        Side(int stage, int from, int count, int gradients, Supplier<Workspace> workspaces) {
            this.stage = stage;
            this.from = from;
            to = from + stages.layers(stage);
            boolean comes = stage > 0 && stages.rankOf(stage - 1) != place;
            for (int i = 0; i < count; i++) {
                slots.add(new Slot(message(comes ? tokens : 0), workspaces.get()));
            }
            for (int i = 0; i < gradients; i++) {
                this.gradients.add(new Gradient(message(tokens)));
            }
        }

        Slot slot(int microBatch) {
            return slots.get(microBatch % slots.size());
        }

        Gradient gradient(int microBatch) {
            return gradients.get(microBatch % gradients.size());
        }

        boolean isFirst() {
            return stage == 0;
        }

        boolean isLast() {
            return stage == stages.count() - 1;
        }
    }

    private Tensor message(long rows) {
        return memory.tensor(DType.F32, StageLayout.floats(rows, network.config.hiddenSize()));
    }

    /// Something that travels, or nothing.
    private static final class Way {
        private @Nullable Transfer transfer;

        void begin(Transfer begun) {
            transfer = begun;
        }

        void await() {
            if (transfer != null) {
                transfer.await();
                transfer = null;
            }
        }
    }

    /// Room for a micro-batch that is under way in a stage.
    private static final class Slot {
        /// What comes from the stage before.
        final Tensor input;

        final Workspace workspace;
        final Way arriving = new Way();
        final Way leaving = new Way();
        private @Nullable Under under;

        Slot(Tensor input, Workspace workspace) {
            this.input = input;
            this.workspace = workspace;
        }

        void keep(Under kept) {
            under = kept;
        }

        Under kept() {
            return Objects.requireNonNull(under, "a backward pass before its forward pass");
        }
    }

    /// A gradient on its way from the stage behind to the one before.
    private static final class Gradient {
        final Tensor message;
        final Way arriving = new Way();
        final Way leaving = new Way();

        Gradient(Tensor message) {
            this.message = message;
        }
    }

    /// A micro-batch that is under way in a stage.
    ///
    /// @param scope of all that it keeps
    /// @param ids of the first stage; empty in others
    /// @param message with the rows of `out`, which travel to the next stage
    /// @param out `[tokens, hidden]`
    /// @param late of the first stage: room for what it gets from the last one
    private record Under(
            Training.Share share,
            Pass pass,
            Workspace.Scope scope,
            Tensor ids,
            List<RouterLayer.Balance> balances,
            List<DecoderLayer.Saved> saved,
            Tensor message,
            Tensor out,
            Late late) {}

    /// What the embedding's gradient is made of beside that of the model's input.
    ///
    /// @param looked `[tokens, hidden]` each: gradients of what multi-token prediction looked up, in
    ///     the order in which they are added
    /// @param normed `[tokens, hidden]` each: what a tied head saw, in that order; else none
    private record Late(List<Tensor> looked, List<Tensor> normed) {}

    /// Adds a step's micro-batches.
    void run(List<Training.Share> shares) {
        PipelinePlan plan = PipelinePlan.of(DualPipe.vShape(stages.ranks(), shares.size()), place);
        try (Serving _ = fabric().serve()) {
            for (PipelinePlan.Action action : plan.actions()) {
                Training.Share share = shares.get(action.visit().microBatch());
                switch (action) {
                    case Expect(Visit visit, int from) -> expect(visit, from, share);
                    case Compute(Visit visit) -> compute(visit, share);
                }
            }
            for (Side side : List.of(near, far)) {
                side.slots.forEach(slot -> slot.leaving.await());
                side.gradients.forEach(gradient -> gradient.leaving.await());
            }
        }
    }

    private Fabric fabric() {
        return network.ranks.fabric();
    }

    private Side side(int stage) {
        return stage == place ? near : far;
    }

    private StageLayout layout(Visit visit, Training.Share share) {
        return new StageLayout(
                visit.forward() ? StageLayout.Kind.FORWARD : StageLayout.Kind.BACKWARD,
                visit.stage(),
                visit.microBatch(),
                share.batch().tokens().length,
                network.config.hiddenSize());
    }

    private void expect(Visit visit, int from, Training.Share share) {
        StageLayout layout = layout(visit, share);
        if (visit.forward()) {
            Slot slot = side(visit.stage()).slot(visit.microBatch());
            slot.arriving.begin(receive(layout.bytes(slot.input), from));
        } else {
            Gradient gradient = side(visit.stage()).gradient(visit.microBatch());
            gradient.leaving.await();
            gradient.arriving.begin(receive(layout.bytes(gradient.message), from));
        }
    }

    private Transfer receive(MemorySegment bytes, int from) {
        return fabric().move(List.of(), List.of(new Passage(from, bytes)), Urgency.AT_ONCE);
    }

    private void compute(Visit visit, Training.Share share) {
        Side side = side(visit.stage());
        try (var _ = span(Timeline.MICRO_BATCH, visit.microBatch())) {
            if (visit.forward()) {
                forward(side, visit, share);
            } else {
                backward(side, visit, share);
            }
        }
    }

    private Timeline.Span span(String name, int detail) {
        return fabric().timeline().span(Timeline.Kind.COMPUTE, name, detail);
    }

    private void forward(Side side, Visit visit, Training.Share share) {
        Slot slot = side.slot(visit.microBatch());
        slot.leaving.await();
        try (var _ = span("forward in stage " + side.stage, -1)) {
            slot.keep(forward(side, slot, share, input(side, slot, visit, share)));
        }
        Visit next = visit.next();
        if (!side.isLast() && stages.rankOf(next.stage()) != place) {
            slot.leaving.begin(send(layout(next, share), slot.kept().message));
        }
    }

    private Transfer send(StageLayout layout, Tensor message) {
        layout.write(layout.bytes(message));
        Passage to = new Passage(stages.rankOf(layout.stage()), layout.bytes(message));
        return fabric().move(List.of(to), List.of(), Urgency.AT_ONCE);
    }

    /// @return `[tokens, hidden]`; nothing where the first stage looks up embeddings
    private @Nullable Tensor input(Side side, Slot slot, Visit visit, Training.Share share) {
        if (side.isFirst()) {
            return null;
        }
        int from = stages.rankOf(side.stage - 1);
        if (from == place) {
            return near.slot(visit.microBatch()).kept().out;
        }
        slot.arriving.await();
        StageLayout layout = layout(visit, share);
        layout.require(layout.bytes(slot.input), from);
        return layout.rows(slot.input);
    }

    private Under forward(Side side, Slot slot, Training.Share share, @Nullable Tensor input) {
        Workspace.Scope scope = slot.workspace.scope();
        Pass p = network.pass(slot.workspace, share.batch()).with(share.parts(), null);
        int[] tokens = side.isFirst() ? share.batch().tokens() : new int[0];
        Tensor ids = network.ints(slot.workspace, tokens);
        Tensor x = input == null ? network.embed(p, ids) : input;
        List<RouterLayer.Balance> balances = training.balances(p, share.batch());
        Tensor message = p.tensor(StageLayout.floats(p.tokens(), network.config.hiddenSize()));
        Tensor out = layout(new Visit(true, 0, side.stage), share).rows(message);
        Late late = late(p, side);
        List<DecoderLayer.Saved> saved = network.forward(p, side.from, side.to, x, balances, out);
        return new Under(share, p, scope, ids, balances, saved, message, out, late);
    }

    private Late late(Pass p, Side side) {
        List<Tensor> looked = new ArrayList<>();
        List<Tensor> normed = new ArrayList<>();
        if (side.isFirst()) {
            int depths = network.config.numNextnPredictLayers();
            for (int k = 0; k < depths; k++) {
                looked.add(p.rows(network.config.hiddenSize()));
            }
            for (int k = 0; k <= depths && network.config.tieWordEmbeddings(); k++) {
                normed.add(p.rows(network.config.hiddenSize()));
            }
        }
        return new Late(looked, normed);
    }

    private void backward(Side side, Visit visit, Training.Share share) {
        Gradient gradient = side.gradient(visit.microBatch());
        StageLayout layout = layout(visit, share);
        if (side.isLast()) {
            gradient.leaving.await();
        } else if (stages.rankOf(side.stage + 1) != place) {
            gradient.arriving.await();
            layout.require(layout.bytes(gradient.message), stages.rankOf(side.stage + 1));
        }
        Slot slot = side.slot(visit.microBatch());
        Late late = near.slot(visit.microBatch()).kept().late;
        Tensor d = layout.rows(gradient.message);
        try (var _ = span("backward in stage " + side.stage, -1)) {
            backward(side, slot.kept(), late, d);
        }
        Visit next = visit.next();
        if (side.isFirst()) {
            return;
        }
        StageLayout before = layout(next, share);
        if (stages.rankOf(next.stage()) == place) {
            network.kernels.elementwise().cast(d, before.rows(near.gradient(next.microBatch()).message));
        } else {
            gradient.leaving.begin(send(before, gradient.message));
        }
    }

    /// @param late of the first stage, where that is here
    /// @param d `[tokens, hidden]`: the gradient of the stage's output, but for the last stage;
    ///     becomes that of its input
    private void backward(Side side, Under under, Late late, Tensor d) {
        Pass p = under.pass.in(scratch);
        try (var _ = scratch.scope()) {
            if (side.isLast()) {
                learn(p, under, late, d);
            }
            network.backward(p, side.from, gradients, under.saved, under.balances, d, _ -> {});
            if (side.isFirst()) {
                embed(p, under, d);
            }
        }
        under.scope.close();
    }

    private void learn(Pass p, Under under, Late late, Tensor d) {
        Tensor rstd = p.tensor(p.tokens());
        Tensor normed = network.finalNorm(p, under.out, rstd);
        Tensor dNormed = p.rows(network.config.hiddenSize());
        Training.Learned learned = training.learn(
                p,
                under.share.batch(),
                under.balances.subList(network.weights.layers.size(), under.balances.size()),
                normed,
                late.normed.isEmpty() ? gradients.head : null,
                dNormed);
        for (int i = 0; i < late.looked.size(); i++) {
            network.kernels.elementwise().cast(learned.further().get(i).d(), late.looked.get(i));
        }
        for (int i = 0; i < late.normed.size(); i++) {
            network.kernels.elementwise().cast(learned.normed().get(i), late.normed.get(i));
        }
        p.normBackward(under.out, network.weights.norm, rstd, dNormed, d, false, gradients.norm);
    }

    private void embed(Pass p, Under under, Tensor d) {
        Batch batch = under.share.batch();
        training.headGradients(p, batch, under.late.normed);
        List<Tensor> looked = under.late.looked;
        for (int i = 0; i < looked.size(); i++) {
            Tensor ids = network.ints(p.workspace(), batch.following(looked.size() - i));
            p.embeddingBackward(ids, looked.get(i), gradients.embedding);
        }
        p.embeddingBackward(under.ids, d, gradients.embedding);
    }

    /// @return the losses of a micro-batch that is not learned from, by part, on all ranks
    double[] evaluate(Training.Share share) {
        try (var _ = scratch.scope()) {
            Pass p = pass(share);
            if (place > 0) {
                StageReads.serve(network, p);
                return doubles(fabric().broadcast(new byte[0], 0));
            }
            Tensor ids = network.ints(scratch, share.batch().tokens());
            double[] losses = training.losses(p, share, StageReads.infer(network, p, ids));
            ByteBuffer bytes = ByteBuffer.allocate(losses.length * Double.BYTES);
            bytes.asDoubleBuffer().put(losses);
            return doubles(fabric().broadcast(bytes.array(), 0));
        }
    }

    private static double[] doubles(byte[] bytes) {
        double[] values = new double[bytes.length / Double.BYTES];
        ByteBuffer.wrap(bytes).asDoubleBuffer().get(values);
        return values;
    }
}
