package dev.wok.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.tensor.Gguf;
import dev.wok.tensor.GgufType;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/// GGUF files whose bytes, counts, lengths, types, sizes, offsets and alignment are damaged.
class GgufFuzzTest {
    private static final int STRING = 8;
    private static final int ARRAY = 9;
    private static final int[] BYTES_BY_TYPE = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

    /* The shortest string is its length, eight bytes: its text, the text's bytes, two buffers that decode it and its place
     * in a list are some two hundred on the heap. The shortest tensor takes 33 bytes, and some thousand for its maps, its
     * shape and the messages that name it. The file itself is mapped.
     */
    private static final long PER_BYTE = 64;
    private static final long MORE = 1 << 18;

    @TempDir
    private Path folder;

    /// A number in the header.
    private record Field(int at, int bytes) {}

    /// Walks through an intact header.
    private static final class Walk {
        private final ByteBuffer in;
        private final List<Field> fields = new ArrayList<>();

        Walk(byte[] intact) {
            in = ByteBuffer.wrap(intact).order(ByteOrder.LITTLE_ENDIAN);
            in.position(4);
            number(4);
            int tensors = number(8);
            int values = number(8);
            for (int i = 0; i < values; i++) {
                string();
                value(number(4));
            }
            for (int i = 0; i < tensors; i++) {
                string();
                int dimensions = number(4);
                for (int d = 0; d < dimensions; d++) {
                    number(8);
                }
                number(4);
                number(8);
            }
        }

        private int number(int bytes) {
            fields.add(new Field(in.position(), bytes));
            int number = bytes < 4 ? 0 : in.getInt(in.position());
            in.position(in.position() + bytes);
            return number;
        }

        private void string() {
            int bytes = number(8);
            in.position(in.position() + bytes);
        }

        private void value(int type) {
            switch (type) {
                case STRING -> string();
                case ARRAY -> {
                    int elements = number(4);
                    for (int n = number(8); n > 0; n--) {
                        value(elements);
                    }
                }
                default -> number(BYTES_BY_TYPE[type]);
            }
        }
    }

    private void damage(int cases) throws IOException, InterruptedException {
        byte[] intact;
        try (InputStream in = GgufFuzzTest.class.getResourceAsStream("/gguf/types.gguf")) {
            intact = Objects.requireNonNull(in).readAllBytes();
        }
        Walk walk = new Walk(intact);
        int header = walk.in.position();
        byte[] data = Arrays.copyOfRange(intact, header, intact.length);
        Path file = folder.resolve("damaged.gguf");
        Fuzz.Outcome outcome = Fuzz.of("gguf").memory(PER_BYTE, MORE).check(cases, damage -> {
            byte[] bytes = switch (damage.below(4)) {
                case 0 -> damage.bytes(intact);
                case 1 -> Damage.replaced(data, 0, 0, damage.bytes(Arrays.copyOf(intact, header)));
                default -> {
                    byte[] changed = intact.clone();
                    for (int i = damage.below(2); i >= 0; i--) {
                        Field field = damage.oneOf(walk.fields);
                        byte[] number = Damage.little(near(intact, field, damage), field.bytes);
                        System.arraycopy(number, 0, changed, field.at, field.bytes);
                    }
                    yield changed;
                }
            };
            Files.write(file, bytes);
            return new Fuzz.Input(bytes.length, () -> readAll(file, bytes.length));
        });
        assertEquals(cases, outcome.read() + outcome.refused());
        assertTrue(outcome.refused() > cases / 3 && outcome.read() > cases / 50, outcome.toString());
    }

    private static long near(byte[] intact, Field field, Damage damage) {
        return damage.below(2) == 0 ? damage.number() : intact[field.at] + damage.below(9) - 4;
    }

    private static void readAll(Path file, long fileBytes) {
        try (Gguf read = Gguf.open(file)) {
            long values = 0;
            for (Object value : read.metadata().values()) {
                values += value instanceof Collection<?> many
                        ? many.stream().filter(Objects::nonNull).count()
                        : 1;
            }
            assertTrue(values <= fileBytes);
            for (String name : read.names()) {
                GgufType type = read.type(name);
                long elements = 1;
                for (long size : read.shape(name)) {
                    elements = Math.multiplyExact(elements, size);
                }
                assertEquals(
                        elements / type.blockElements() * type.blockBytes(),
                        read.data(name).byteSize());
                type.dequantize(read.data(name), 0, new float[Math.toIntExact(elements)], Math.toIntExact(elements));
            }
        }
    }

    @Test
    void damagedFilesAreRefusedOrRead() throws IOException, InterruptedException {
        damage(500);
    }

    @Test
    @Tag("slow")
    void damagedFilesAreRefusedOrReadManyTimes() throws IOException, InterruptedException {
        damage(10_000);
    }
}
