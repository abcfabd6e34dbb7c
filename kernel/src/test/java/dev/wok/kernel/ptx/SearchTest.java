package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.CudaException;
import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class SearchTest {
    private record Tile(int m) {}

    private static final List<Tile> TILES =
            IntStream.rangeClosed(1, 20).mapToObj(Tile::new).toList();

    private final List<Tile> tried = new ArrayList<>();
    private int clock;

    /// The estimate likes tiles near 10; in truth, smaller is faster.
    private Search.Choice<Tile> choose(Search search, String description) {
        return search.choose(description, TILES, tile -> Math.abs(tile.m - 10), () -> tile -> {
            tried.add(tile);
            clock = tile.m;
        });
    }

    private Search search(@Nullable Path file) {
        return new Search(
                work -> {
                    work.run();
                    return clock;
                },
                file);
    }

    @Test
    void theFastestOfTheMostPromisingIsChosen(@TempDir Path folder) {
        Search.Choice<Tile> choice = choose(search(folder.resolve("kept")), "a product");
        assertEquals(6, tried.size());
        assertEquals(new Tile(7), choice.configuration());
        assertTrue(choice.reason().contains("fastest of 6 measured"), choice.reason());
    }

    @Test
    void itIsMeasuredOnce(@TempDir Path folder) {
        Path file = folder.resolve("below").resolve("kept");
        Search search = search(file);
        choose(search, "a product");
        choose(search, "a product");
        assertEquals(6, tried.size());
        assertEquals(new Tile(7), choose(search(file), "a product").configuration());
        assertEquals(6, tried.size());
        choose(search(file), "another");
        assertEquals(12, tried.size());
    }

    /// A file of something else is no reason to fail.
    @Test
    void aDamagedFileIsWrittenAnew(@TempDir Path folder) throws IOException {
        Path file = folder.resolve("kept");
        Files.writeString(file, "a\\ product=\\u00zz");
        assertEquals(new Tile(7), choose(search(file), "a product").configuration());
        Files.writeString(file, "a\\ product=Tile[m=99]");
        tried.clear();
        assertEquals(new Tile(7), choose(search(file), "a product").configuration());
        assertEquals(6, tried.size());
        assertTrue(Files.readString(file).contains("Tile[m\\=7]"), Files.readString(file));
    }

    /// A GPU full of weights has no memory for a trial.
    @Test
    void whereMemoryIsShortTheEstimateDecides() {
        Search.Choice<Tile> choice = search(null).choose("a product", TILES, tile -> Math.abs(tile.m - 10), () -> {
            throw new CudaException(2, "out of memory");
        });
        assertEquals(new Tile(10), choice.configuration());
        assertTrue(choice.reason().contains("no memory to measure (out of memory)"), choice.reason());
    }

    @Test
    void whereNothingCanBeMeasuredTheEstimateDecides() {
        try (EmulatedGpu gpu = Device.emulated()) {
            Search.Choice<Tile> choice = choose(Search.on(gpu), "a product");
            assertEquals(new Tile(10), choice.configuration());
            assertEquals(List.of(), tried);
            assertEquals("has the lowest estimate of 20; nothing was measured", choice.reason());
        }
    }
}
