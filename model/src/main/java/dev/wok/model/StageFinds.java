package dev.wok.model;

import dev.wok.fabric.Departed;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/// What a rank of a pipeline found in a step, of which each layer's part lies on one rank. As it
/// travels, big-endian: version, parts, layers and experts, ints; two lists of as many doubles as
/// parts; and for each layer a double for each part and an int for each expert.
///
/// @param losses by part; zeros where the head is elsewhere
/// @param mtpLosses likewise
/// @param layers those with experts, in their order
record StageFinds(double[] losses, double[] mtpLosses, List<Layer> layers) {
    private static final int VERSION = 1;
    private static final int FIELDS = 4;

    /// @param balance by part
    /// @param load by expert
    record Layer(double[] balance, int[] load) {}

    /// @return what each rank found, by rank
    static List<StageFinds> gather(StageFinds mine, Ranks ranks) {
        int experts = mine.layers.isEmpty() ? 0 : mine.layers.getFirst().load.length;
        List<StageFinds> all = new ArrayList<>();
        List<byte[]> bytes = ranks.fabric().allGather(mine.bytes(experts));
        for (int rank = 0; rank < bytes.size(); rank++) {
            all.add(of(ByteBuffer.wrap(bytes.get(rank)), rank, mine.losses.length));
        }
        return all;
    }

    private byte[] bytes(int experts) {
        int parts = losses.length;
        int layer = parts * Double.BYTES + experts * Integer.BYTES;
        ByteBuffer bytes =
                ByteBuffer.allocate(FIELDS * Integer.BYTES + 2 * parts * Double.BYTES + layers.size() * layer);
        bytes.putInt(VERSION).putInt(parts).putInt(layers.size()).putInt(experts);
        put(bytes, losses);
        put(bytes, mtpLosses);
        for (Layer of : layers) {
            put(bytes, of.balance);
            for (int tokens : of.load) {
                bytes.putInt(tokens);
            }
        }
        return bytes.array();
    }

    private static void put(ByteBuffer bytes, double[] values) {
        for (double value : values) {
            bytes.putDouble(value);
        }
    }

    private static StageFinds of(ByteBuffer bytes, int rank, int parts) {
        long length = bytes.remaining();
        int version = length < FIELDS * Integer.BYTES ? 0 : bytes.getInt();
        int theirs = version == VERSION ? bytes.getInt() : 0;
        long layers = version == VERSION ? bytes.getInt() : 0;
        long experts = version == VERSION ? bytes.getInt() : 0;
        long expected = FIELDS * Integer.BYTES + (2 + layers) * parts * Double.BYTES + layers * experts * Integer.BYTES;
        if (version != VERSION || theirs != parts || layers < 0 || experts < 0 || length != expected) {
            throw new Departed(
                    rank,
                    "rank %d sent %d bytes that are not what a step found; start all ranks from the same Wok."
                            .formatted(rank, length));
        }
        double[] losses = doubles(bytes, parts);
        double[] mtpLosses = doubles(bytes, parts);
        List<Layer> all = new ArrayList<>();
        for (int i = 0; i < layers; i++) {
            double[] balance = doubles(bytes, parts);
            int[] load = new int[(int) experts];
            bytes.asIntBuffer().get(load);
            bytes.position(bytes.position() + load.length * Integer.BYTES);
            all.add(new Layer(balance, load));
        }
        return new StageFinds(losses, mtpLosses, all);
    }

    private static double[] doubles(ByteBuffer bytes, int count) {
        double[] values = new double[count];
        bytes.asDoubleBuffer().get(values);
        bytes.position(bytes.position() + count * Double.BYTES);
        return values;
    }

    /// @param all by rank
    /// @return the layers with experts in the order of the model, multi-token prediction's last
    static List<Layer> layers(List<StageFinds> all, ModelConfig config, Stages stages) {
        int[] next = new int[all.size()];
        List<Layer> layers = new ArrayList<>();
        for (int i = 0; i < config.numHiddenLayers() + config.numNextnPredictLayers(); i++) {
            if (config.isMoe(i)) {
                int rank = stages.rankOfLayer(i);
                if (next[rank] == all.get(rank).layers.size()) {
                    throw new Departed(rank, "rank %d found nothing in layer %d, which it has.".formatted(rank, i));
                }
                layers.add(all.get(rank).layers.get(next[rank]++));
            }
        }
        return layers;
    }
}
