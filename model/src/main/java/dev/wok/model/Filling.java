package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Packed;
import dev.wok.notice.Progress;
import dev.wok.tensor.Copies;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.nio.file.Path;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.stream.IntStream;

/// Fills weights from what is stored, without a second copy of them.
final class Filling {
    /// Elements that are converted at once.
    private static final long AT_ONCE = 1 << 22;

    private Filling() {}

    /// @param device that the weights are on
    /// @param from the folder or file, for the word about progress
    /// @param stored finds a tensor by its name in a checkpoint
    static void fill(Weights weights, Device device, Path from, Function<String, Stored> stored, Progress progress) {
        SequencedMap<String, Place> wanted = weights.places();
        long bytes = 0;
        for (String name : wanted.keySet()) {
            bytes += stored.apply(name).bytes();
        }
        try (Progress.Task task = progress.start("loading " + from.getFileName(), bytes, "bytes");
                PackedCopies packed = new PackedCopies(device);
                Arena arena = Arena.ofShared()) {
            Tensor rows = Tensor.allocate(arena, DType.F32, AT_ONCE);
            for (Map.Entry<String, Place> entry : wanted.entrySet()) {
                Stored tensor = stored.apply(entry.getKey());
                fill(device, packed, tensor, entry.getValue(), rows);
                task.advance(tensor.bytes());
            }
        }
        weights.changed();
    }

    /// @param rows memory for some rows as float32
    private static void fill(Device device, PackedCopies packed, Stored stored, Place place, Tensor rows) {
        switch (place) {
            case Place.Values(Tensor to) -> fill(device, stored, to, rows);
            case Place.Rows to -> fill(packed, stored, to);
            case Place.Up(Packed keys, Packed values) -> {
                stored.put(new Place.Up(packed.of(keys), packed.of(values)));
                packed.filled(keys, keys.rows());
                packed.filled(values, values.rows());
            }
            case Place.Both(Place.Values(Tensor table), Place.Rows to) -> {
                fill(device, stored, table, rows);
                try (Arena arena = Arena.ofShared()) {
                    Tensor held = table;
                    if (!(device instanceof HostDevice)) {
                        held = Tensor.allocate(arena, table.dtype(), table.shape());
                        device.download(table, held);
                    }
                    fill(packed, Floats.of(held), to);
                }
            }
        }
    }

    private static void fill(Device device, Stored stored, Tensor to, Tensor rows) {
        int width = stored.width();
        Tensor plain = stored.plain();
        boolean direct = plain != null && (plain.dtype() == to.dtype() || to.dtype() == DType.F64);
        if (direct || to.rank() < 2 || width > AT_ONCE) {
            device.upload(plain == null ? whole(stored) : plain, to);
            return;
        }
        int most = (int) (AT_ONCE / Math.max(1, width));
        for (long from = 0; from < stored.rows(); from += most) {
            long first = from;
            int count = (int) Math.min(most, stored.rows() - from);
            Tensor part = rows.slice(0, 0, (long) count * width).reshape(count, width);
            IntStream.range(0, count).parallel().forEach(i -> {
                float[] row = new float[width];
                stored.row(first + i, row);
                Copies.floats(row, 0, part.memory(), (long) i * width * Float.BYTES, width);
            });
            device.upload(part, to.slice(0, from, from + count));
        }
    }

    private static Tensor whole(Stored stored) {
        Tensor whole = Tensor.allocate(Arena.ofAuto(), DType.F32, stored.shape());
        float[] to = new float[stored.width()];
        for (long row = 0; row < stored.rows(); row++) {
            stored.row(row, to);
            Copies.floats(to, 0, whole.memory(), row * to.length * Float.BYTES, to.length);
        }
        return whole;
    }

    private static void fill(PackedCopies packed, Stored stored, Place.Rows to) {
        Packed weight = packed.of(to.weight());
        IntStream.range(0, to.count()).parallel().forEach(i -> stored.put(i, weight, to.from() + i));
        packed.filled(to.weight(), to.count());
    }
}
