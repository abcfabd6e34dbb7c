package dev.wok.fabric;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/// A [Trace] as it travels, big-endian; a text is two bytes of length and modified UTF-8:
///
/// ```
/// int version, int rank, long step, long lost
/// int n, n texts: the lanes
/// int n, n texts: the names
/// int n, n times: byte kind, int name, int detail, int micro-batch, int lane, long begin, long end
/// ```
final class TraceLayout {
    private static final int VERSION = 1;
    private static final int ENTRY_BYTES = 33;
    private static final Timeline.Kind[] KINDS = Timeline.Kind.values();

    private TraceLayout() {}

    static byte[] encode(Trace trace) {
        Map<String, Integer> names = new LinkedHashMap<>();
        trace.entries().forEach(e -> names.putIfAbsent(e.name(), names.size()));
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(bytes)) {
            out.writeInt(VERSION);
            out.writeInt(trace.rank());
            out.writeLong(trace.step());
            out.writeLong(trace.lost());
            writeTexts(out, trace.lanes());
            writeTexts(out, List.copyOf(names.keySet()));
            out.writeInt(trace.entries().size());
            for (Trace.Entry entry : trace.entries()) {
                out.writeByte(entry.kind().ordinal());
                out.writeInt(Objects.requireNonNull(names.get(entry.name())));
                out.writeInt(entry.detail());
                out.writeInt(entry.microBatch());
                out.writeInt(entry.lane());
                out.writeLong(entry.begin());
                out.writeLong(entry.end());
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return bytes.toByteArray();
    }

    private static void writeTexts(DataOutputStream out, List<String> texts) throws IOException {
        out.writeInt(texts.size());
        for (String text : texts) {
            out.writeUTF(text);
        }
    }

    /// @param rank who sent it
    /// @throws Departed where it is no trace of that rank
    static Trace decode(byte[] bytes, int rank) {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(bytes))) {
            int version = in.readInt();
            require(version == VERSION, "version %d, expected %d".formatted(version, VERSION));
            int from = in.readInt();
            require(from == rank, "rank %d in it".formatted(from));
            long step = in.readLong();
            long lost = in.readLong();
            List<String> lanes = readTexts(in);
            List<String> names = readTexts(in);
            int count = in.readInt();
            require(
                    count >= 0 && in.available() == (long) count * ENTRY_BYTES,
                    "%d spans in %d bytes".formatted(count, in.available()));
            List<Trace.Entry> entries = new ArrayList<>(count);
            for (int i = 0; i < count; i++) {
                entries.add(readEntry(in, lanes.size(), names));
            }
            return new Trace(rank, step, lanes, entries, lost);
        } catch (IOException e) {
            throw new Departed(rank, "rank %d sent a timeline that cannot be read: %s.".formatted(rank, reason(e)));
        }
    }

    private static String reason(IOException e) {
        return e.getMessage() == null ? "it is cut off" : e.getMessage();
    }

    private static void require(boolean holds, String otherwise) throws IOException {
        if (!holds) {
            throw new IOException(otherwise);
        }
    }

    private static List<String> readTexts(DataInputStream in) throws IOException {
        int count = in.readInt();
        require(count >= 0 && count <= in.available() / 2, "%d names".formatted(count));
        List<String> texts = new ArrayList<>(count);
        for (int i = 0; i < count; i++) {
            texts.add(in.readUTF());
        }
        return texts;
    }

    private static Trace.Entry readEntry(DataInputStream in, int lanes, List<String> names) throws IOException {
        int kind = in.readUnsignedByte();
        int name = in.readInt();
        int detail = in.readInt();
        int microBatch = in.readInt();
        int lane = in.readInt();
        long begin = in.readLong();
        long end = in.readLong();
        require(
                kind < KINDS.length && name >= 0 && name < names.size() && lane >= 0 && lane < lanes && begin <= end,
                "a span of kind %d, name %d, lane %d from %d to %d".formatted(kind, name, lane, begin, end));
        return new Trace.Entry(KINDS[kind], names.get(name), detail, microBatch, lane, begin, end);
    }
}
