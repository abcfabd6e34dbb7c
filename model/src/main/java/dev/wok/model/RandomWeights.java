package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.notice.Progress;
import dev.wok.tensor.Rng;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.SequencedMap;

/// A model that nobody trained, of any size at once: its weights repeat after a while. Matrices are normally
/// distributed, norms one, biases zero.
///
/// @param numbers one period of the weights
record RandomWeights(ModelConfig model, float[] numbers) implements Source {
    /// No power of two, so that rows differ.
    private static final int PERIOD = 99_991;

    static RandomWeights of(ModelConfig config, long seed) {
        Rng rng = new Rng(seed);
        float[] numbers = new float[PERIOD];
        for (int i = 0; i < PERIOD; i++) {
            numbers[i] = (float) (config.initializerRange() * rng.normal(i));
        }
        return new RandomWeights(config, numbers);
    }

    @Override
    public ModelConfig config(Progress progress) {
        return model;
    }

    @Override
    public Storage asStored() {
        return Storage.float32();
    }

    @Override
    public List<Inspection.Entry> entries() {
        return List.of();
    }

    @Override
    public void read(Weights weights, Device device, Progress progress) {
        SequencedMap<String, Place> places = weights.places();
        Filling.fill(
                weights, device, Path.of("random weights"), name -> new Repeated(name, shape(places, name)), progress);
    }

    private static long[] shape(SequencedMap<String, Place> places, String name) {
        Place place = places.get(name);
        if (place == null) {
            throw new IllegalArgumentException(name);
        }
        return place.shape();
    }

    private final class Repeated implements Stored {
        private final String name;
        private final long[] shape;

        Repeated(String name, long[] shape) {
            this.name = name;
            this.shape = shape;
        }

        @Override
        public long[] shape() {
            return shape;
        }

        @Override
        public long bytes() {
            return Arrays.stream(shape).reduce(Float.BYTES, Math::multiplyExact);
        }

        @Override
        public void row(long row, float[] to) {
            if (shape.length < 2) {
                Arrays.fill(to, name.endsWith("bias") ? 0 : 1);
                return;
            }
            int at = (int) Math.floorMod(name.hashCode() + row * to.length, (long) PERIOD);
            for (int done = 0; done < to.length; ) {
                int count = Math.min(to.length - done, PERIOD - at);
                System.arraycopy(numbers, at, to, done, count);
                done += count;
                at = 0;
            }
        }
    }

    @Override
    public void close() {
        // Nothing is open.
    }
}
