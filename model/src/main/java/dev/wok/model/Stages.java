package dev.wok.model;

import dev.wok.notice.BadInput;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// How a model's layers are dealt to the ranks of a pipeline that is folded to a V
/// ([dev.wok.fabric.DualPipe#vShape]): of `2 ranks` stages, rank `r` has stage `r` on the way down and
/// stage `2 ranks - 1 - r` on the way back. The first rank so has the embedding and the head, and
/// multi-token prediction.
///
/// @param ranks how many there are
/// @param bounds `[2 ranks + 1]`: stage `s` has layers `bounds[s]` to `bounds[s + 1]` of the main model
record Stages(int ranks, int[] bounds) {
    /// Deals layers such that the rank that computes most computes little, and one or more to each
    /// stage.
    ///
    /// @throws BadInput where there are fewer layers than stages
    static Stages of(ModelConfig config, int ranks) {
        int layers = config.numHiddenLayers();
        if (layers < 2 * ranks) {
            throw new BadInput(
                    "a pipeline of %d ranks has %d stages, num_hidden_layers is %d; use fewer ranks or more layers."
                            .formatted(ranks, 2 * ranks, layers));
        }
        double[] costs = IntStream.range(0, layers)
                .mapToDouble(config::activeLayerParameters)
                .toArray();
        double head = (double) config.vocabSize() * config.hiddenSize();
        double further = head + 2.0 * config.hiddenSize() * config.hiddenSize() + config.activeLayerParameters(layers);
        return new Stages(ranks, Dealing.of(costs, head + config.numNextnPredictLayers() * further, ranks));
    }

    /// @return how many stages there are
    int count() {
        return 2 * ranks;
    }

    /// @return the rank of a stage
    int rankOf(int stage) {
        return Math.min(stage, count() - 1 - stage);
    }

    /// @param layer those of multi-token prediction follow the main model's; -1 for what is no layer's
    /// @return the rank that has it
    int rankOfLayer(int layer) {
        return layer < 0 || layer >= bounds[count()] ? 0 : rankOf(stageOf(layer));
    }

    private int stageOf(int layer) {
        int stage = 0;
        while (bounds[stage + 1] <= layer) {
            stage++;
        }
        return stage;
    }

    /// @return the stage of a rank on the way down, and that on the way back
    List<Integer> of(int rank) {
        return List.of(rank, count() - 1 - rank);
    }

    /// @return the layers of a stage
    int layers(int stage) {
        return bounds[stage + 1] - bounds[stage];
    }

    @Override
    public String toString() {
        return "%d ranks, stages from layers %s".formatted(ranks, Arrays.toString(bounds));
    }

    /// The search for it: of all ways to deal layers, one in which the fullest rank has least; of
    /// several such, ranks further in are as even as can be, then stages.
    private static final class Dealing {
        /// The best way to deal some layers to the ranks from one on.
        ///
        /// @param most of a rank
        /// @param squares sum over the stages
        /// @param near where the next rank's layers begin
        /// @param far where they end
        private record Best(double most, double squares, int near, int far) {
            boolean isBetterThan(Best other) {
                return most < other.most || (most == other.most && squares < other.squares);
            }
        }

        private static final Best NONE = new Best(Double.POSITIVE_INFINITY, Double.POSITIVE_INFINITY, 0, 0);

        /// Sums over the first layers.
        private final double[] sums;

        private final int ranks;

        /// `[rank][first layer][behind the last]`, what is known already.
        private final @Nullable Best[][][] known;

        private Dealing(double[] costs, int ranks) {
            this.ranks = ranks;
            sums = new double[costs.length + 1];
            for (int i = 0; i < costs.length; i++) {
                sums[i + 1] = sums[i] + costs[i];
            }
            known = new @Nullable Best[ranks][costs.length + 1][costs.length + 1];
        }

        /// @param last what comes to the last stage beside its layers
        static int[] of(double[] costs, double last, int ranks) {
            Dealing dealing = new Dealing(costs, ranks);
            int[] bounds = new int[2 * ranks + 1];
            int from = 0;
            int to = costs.length;
            bounds[2 * ranks] = to;
            for (int rank = 0; rank < ranks; rank++) {
                Best best = dealing.best(rank, from, to, rank == 0 ? last : 0);
                from = best.near;
                to = best.far;
                bounds[rank + 1] = from;
                bounds[2 * ranks - 1 - rank] = to;
            }
            return bounds;
        }

        private Best best(int rank, int from, int to, double last) {
            Best best = known[rank][from][to];
            if (best == null) {
                best = search(rank, from, to, last);
                known[rank][from][to] = best;
            }
            return best;
        }

        private Best search(int rank, int from, int to, double last) {
            int inner = 2 * (ranks - 1 - rank);
            Best best = NONE;
            for (int near = from + 1; near + inner < to; near++) {
                for (int far = inner == 0 ? near : near + inner; far < to && (inner > 0 || far == near); far++) {
                    double down = sums[near] - sums[from];
                    double back = sums[to] - sums[far] + last;
                    Best rest = inner == 0 ? new Best(0, 0, near, far) : best(rank + 1, near, far, 0);
                    Best found = new Best(
                            Math.max(down + back, rest.most), down * down + back * back + rest.squares, near, far);
                    best = found.isBetterThan(best) ? found : best;
                }
            }
            return best;
        }
    }
}
