package dev.wok.cli;

import dev.wok.notice.BadInput;
import dev.wok.tensor.Copies;
import dev.wok.tensor.Tensor;
import java.io.IOException;
import java.lang.foreign.Arena;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.SplittableRandom;
import org.jspecify.annotations.Nullable;

/// What is in a buffer before a kernel runs.
sealed interface PtxFill {
    /// One more than the largest whole number that is drawn.
    int RANDOM_END = 100;

    enum Pattern implements PtxFill {
        ZEROS,
        /// Nothing: to read it before it was written is an error.
        UNSET,
        /// 0, 1, 2, ...
        IOTA,
        /// Whole numbers from 0 to 99; else numbers from -1 to 1, 1 excluded.
        RANDOM;

        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    record Constant(Number value) implements PtxFill {
        @Override
        public String toString() {
            return value.toString();
        }
    }

    /// The bytes of a file.
    record Raw(Path file) implements PtxFill {
        @Override
        public String toString() {
            return "@" + file;
        }
    }

    /// @param bytes of the buffer
    /// @throws BadInput where the text is none, or the file has another length
    static PtxFill parse(@Nullable String text, PtxElement element, long bytes, String where, Path folder) {
        if (text == null) {
            return Pattern.ZEROS;
        }
        for (Pattern pattern : Pattern.values()) {
            if (pattern.toString().equals(text)) {
                return pattern;
            }
        }
        if (text.startsWith("@")) {
            return raw(folder.resolve(text.substring(1)), bytes, where);
        }
        if (!text.matches("[-+.]?\\d.*|nan|-?inf")) {
            throw new BadInput(
                    "%s: '%s' is nothing that a buffer can hold, expected zeros, unset, iota, random, a number or @FILE."
                            .formatted(where, text));
        }
        return new Constant(element.parse(text, where));
    }

    private static Raw raw(Path file, long bytes, String where) {
        try {
            long size = Files.size(file);
            if (!Files.isRegularFile(file)) {
                throw new BadInput("%s: %s is no file of bytes.".formatted(where, file));
            }
            if (size != bytes) {
                throw new BadInput(
                        "%s: %s has %d bytes, the buffer %d; expected the same.".formatted(where, file, size, bytes));
            }
            return new Raw(file);
        } catch (IOException e) {
            throw BadInput.reading(file, e);
        }
    }

    /// @param host zeros, contiguous
    default void into(Tensor host, PtxElement element, SplittableRandom random) {
        long count = host.elements();
        switch (this) {
            case Pattern pattern -> pattern(pattern, host, element, random);
            case Constant(Number value) -> {
                for (long i = 0; i < count; i++) {
                    element.set(host, i, value);
                }
            }
            case Raw(Path file) -> {
                try (FileChannel channel = FileChannel.open(file);
                        Arena arena = Arena.ofConfined()) {
                    Copies.bytes(
                            channel.map(FileChannel.MapMode.READ_ONLY, 0, host.bytes(), arena),
                            0,
                            host.memory(),
                            0,
                            host.bytes());
                } catch (IOException e) {
                    throw BadInput.reading(file, e);
                }
            }
        }
    }

    private static void pattern(Pattern pattern, Tensor host, PtxElement element, SplittableRandom random) {
        long count = host.elements();
        switch (pattern) {
            case ZEROS, UNSET -> {}
            case IOTA -> {
                for (long i = 0; i < count; i++) {
                    element.set(host, i, i);
                }
            }
            case RANDOM -> {
                boolean isFloating = element.dtype().isFloating();
                for (long i = 0; i < count; i++) {
                    element.set(
                            host,
                            i,
                            isFloating ? (Number) random.nextDouble(-1, 1) : (Number) random.nextInt(RANDOM_END));
                }
            }
        }
    }
}
