package dev.wok.train;

import dev.wok.model.Batch;
import dev.wok.model.Model;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/// An [Order] as it travels, numbers big-endian:
///
/// ```
/// version   int
/// kind      int       place of the order in the list below
/// fields    in the order of the record
///   int, long, double   as they are
///   boolean             byte
///   text                int bytes, UTF-8; -1 for none
///   map                 int entries, then text and text
///   batches             int count, then int sequences, int length, five arrays of sequences * length ints
/// ```
final class OrderLayout {
    private static final int VERSION = 1;
    private static final int BATCH_ARRAYS = 5;

    private static final int BEGIN = 0;
    private static final int STEP = 1;
    private static final int EVALUATE = 2;
    private static final int READ = 3;
    private static final int MEASURE = 4;
    private static final int GIVE_MODEL = 5;
    private static final int GIVE_MOMENTS = 6;
    private static final int WAIT = 7;
    private static final int END = 8;

    private OrderLayout() {}

    static byte[] bytes(Order order) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeInt(VERSION);
            write(order, out);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private static void write(Order order, DataOutputStream out) throws IOException {
        switch (order) {
            case Order.Begin begin -> {
                out.writeInt(BEGIN);
                out.writeInt(begin.settings().size());
                for (Map.Entry<String, String> setting : begin.settings().entrySet()) {
                    text(out, setting.getKey());
                    text(out, setting.getValue());
                }
                if (begin.weights() == null) {
                    out.writeInt(-1);
                } else {
                    text(out, begin.weights().toString());
                }
                out.writeBoolean(begin.resumed());
                out.writeInt(begin.bosId());
                out.writeInt(begin.eosId());
            }
            case Order.Step step -> {
                out.writeInt(STEP);
                batches(out, step.batches());
                out.writeLong(step.number());
                out.writeDouble(step.learningRate());
                out.writeDouble(step.gamma());
            }
            case Order.Evaluate evaluate -> {
                out.writeInt(EVALUATE);
                batches(out, List.of(evaluate.batch()));
            }
            case Order.Read read -> {
                out.writeInt(READ);
                out.writeInt(read.kind().ordinal());
            }
            case Order.Measure _ -> out.writeInt(MEASURE);
            case Order.GiveModel _ -> out.writeInt(GIVE_MODEL);
            case Order.GiveMoments _ -> out.writeInt(GIVE_MOMENTS);
            case Order.Wait _ -> out.writeInt(WAIT);
            case Order.End end -> {
                out.writeInt(END);
                out.writeInt(end.ending().ordinal());
            }
        }
    }

    private static void text(DataOutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        out.writeInt(bytes.length);
        out.write(bytes);
    }

    private static void batches(DataOutputStream out, List<Batch> batches) throws IOException {
        out.writeInt(batches.size());
        for (Batch batch : batches) {
            out.writeInt(batch.sequences());
            out.writeInt(batch.length());
            for (int[] array :
                    new int[][] {batch.tokens(), batch.targets(), batch.positions(), batch.keyStart(), batch.begins()
                    }) {
                for (int value : array) {
                    out.writeInt(value);
                }
            }
        }
    }

    /// @throws IllegalArgumentException where it is no order: it says why
    static Order order(byte[] bytes) {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            int version = in.readInt();
            if (version != VERSION) {
                throw new IllegalArgumentException(
                        "an order of version %d, expected %d; start all ranks from the same Wok"
                                .formatted(version, VERSION));
            }
            Order order = read(in);
            if (in.available() > 0) {
                throw new IllegalArgumentException("%d bytes after an order".formatted(in.available()));
            }
            return order;
        } catch (IOException | InvalidPathException e) {
            throw new IllegalArgumentException("an order of %d bytes that is not whole".formatted(bytes.length), e);
        }
    }

    private static Order read(DataInputStream in) throws IOException {
        int kind = in.readInt();
        return switch (kind) {
            case BEGIN -> begin(in);
            case STEP -> new Order.Step(batches(in), in.readLong(), in.readDouble(), in.readDouble());
            case EVALUATE -> new Order.Evaluate(only(batches(in)));
            case READ -> new Order.Read(one("a read", Model.ReadKind.values(), in.readInt()));
            case MEASURE -> new Order.Measure();
            case GIVE_MODEL -> new Order.GiveModel();
            case GIVE_MOMENTS -> new Order.GiveMoments();
            case WAIT -> new Order.Wait();
            case END -> new Order.End(one("an end", Order.Ending.values(), in.readInt()));
            default -> throw new IllegalArgumentException("an order of kind %d, which does not exist".formatted(kind));
        };
    }

    private static Order.Begin begin(DataInputStream in) throws IOException {
        Map<String, String> settings = new LinkedHashMap<>();
        int count = count(in, in.readInt(), 2 * Integer.BYTES);
        for (int i = 0; i < count; i++) {
            settings.put(text(in, in.readInt()), text(in, in.readInt()));
        }
        int length = in.readInt();
        Path weights = length < 0 ? null : Path.of(text(in, length));
        return new Order.Begin(settings, weights, in.readBoolean(), in.readInt(), in.readInt());
    }

    private static Batch only(List<Batch> batches) {
        if (batches.size() != 1) {
            throw new IllegalArgumentException("an evaluation of %d batches, expected 1".formatted(batches.size()));
        }
        return batches.getFirst();
    }

    private static <T> T one(String what, T[] kinds, int place) {
        if (place < 0 || place >= kinds.length) {
            throw new IllegalArgumentException("%s of kind %d, which does not exist".formatted(what, place));
        }
        return kinds[place];
    }

    private static List<Batch> batches(DataInputStream in) throws IOException {
        List<Batch> batches = new ArrayList<>();
        int count = count(in, in.readInt(), 2 * Integer.BYTES);
        for (int i = 0; i < count; i++) {
            int sequences = in.readInt();
            int length = in.readInt();
            long tokens = (long) sequences * length;
            if (sequences < 0 || length < 0 || tokens > in.available() / (BATCH_ARRAYS * Integer.BYTES)) {
                throw new IllegalArgumentException(
                        "a batch of %d sequences of %d tokens in the %d bytes that are left of an order"
                                .formatted(sequences, length, in.available()));
            }
            int[][] arrays = new int[BATCH_ARRAYS][(int) tokens];
            for (int[] array : arrays) {
                for (int j = 0; j < array.length; j++) {
                    array[j] = in.readInt();
                }
            }
            batches.add(new Batch(sequences, length, arrays[0], arrays[1], arrays[2], arrays[3], arrays[4]));
        }
        return batches;
    }

    private static String text(DataInputStream in, int length) throws IOException {
        return new String(in.readNBytes(count(in, length, 1)), StandardCharsets.UTF_8);
    }

    /// A number of things that fit into what is left.
    private static int count(DataInputStream in, int count, int bytesEach) throws IOException {
        if (count < 0 || (long) count * bytesEach > in.available()) {
            throw new IllegalArgumentException("%d things of %d bytes or more in the %d bytes that are left of an order"
                    .formatted(count, bytesEach, in.available()));
        }
        return count;
    }
}
