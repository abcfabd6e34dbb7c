package dev.wok.kernel.x86;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Tensors;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class TilingsTest {
    private static final int SHAPES = 6;

    private static List<Tiling> candidates(Isa isa) {
        List<Tiling> all = new ArrayList<>();
        for (Tiling tile : TileSearch.tiles(isa)) {
            all.add(tile);
            all.add(tile.withBlockRows(48).withTasks(1));
            all.add(tile.withBlockRows(Tiling.BLOCK_ROWS_MOST).withTasks(16));
        }
        return all;
    }

    @ParameterizedTest
    @EnumSource(Isa.class)
    void whatIsTriedFits(Isa isa) {
        assertEquals(Tilings.usual(isa), TileSearch.tiles(isa).getFirst());
        for (Tiling tiling : TileSearch.tiles(isa)) {
            assertTrue(tiling.fits(isa), tiling.text());
            assertEquals(tiling, Tiling.parse(tiling.text()));
        }
        Tiling large = Tilings.usual(isa).withTile(9, 9);
        assertThrows(IllegalArgumentException.class, () -> Tilings.of(isa, _ -> large));
    }

    /// Products of every orientation, with every tiling that is tried.
    @ParameterizedTest
    @EnumSource(Isa.class)
    void noTilingChangesABit(Isa isa) {
        for (Precision precision : Precision.values()) {
            try (HostDevice device = Device.host(2)) {
                Rng rng = new Rng(11);
                List<int[]> shapes = new ArrayList<>();
                // The emulator sees the last of these shapes only.
                for (int i = Machine.of(isa) == Machine.EMULATOR ? SHAPES - 1 : 0; i < SHAPES; i++) {
                    shapes.add(new int[] {
                        1 + rng.below(3 * i, i == 0 ? 600 : 250),
                        1 + rng.below(3 * i + 1, 200),
                        1 + rng.below(3 * i + 2, 400)
                    });
                }
                shapes.add(new int[] {63, 97, 129});
                List<float[]> expected = products(device, isa, Tilings.usual(isa), precision, shapes);
                for (Tiling tiling : candidates(isa)) {
                    List<float[]> results = products(device, isa, tiling, precision, shapes);
                    for (int i = 0; i < results.size(); i++) {
                        assertArrayEquals(expected.get(i), results.get(i), tiling.text() + ", product " + i);
                    }
                }
            }
        }
    }

    private static List<float[]> products(
            HostDevice device, Isa isa, Tiling tiling, Precision precision, List<int[]> shapes) {
        Programs programs = Machine.of(isa).programs(device, isa);
        Kernels kernels = X86Kernels.on(programs, Tilings.of(isa, _ -> tiling), precision);
        List<float[]> results = new ArrayList<>();
        for (int[] shape : shapes) {
            int m = shape[0];
            int n = shape[1];
            int k = shape[2];
            Tensor c = Tensors.normal(new Rng(3), DType.F32, m, n);
            kernels.matmul()
                    .nt(
                            Tensors.normal(new Rng(1), DType.F32, m, k),
                            Tensors.normal(new Rng(2), DType.F32, n, k),
                            c,
                            true);
            results.add(c.toFloats());
            kernels.matmul()
                    .nn(
                            Tensors.normal(new Rng(1), DType.F32, m, k),
                            Tensors.normal(new Rng(2), DType.F32, k, n),
                            c,
                            false);
            results.add(c.toFloats());
            kernels.matmul()
                    .tn(
                            Tensors.normal(new Rng(1), DType.F32, k, m),
                            Tensors.normal(new Rng(2), DType.F32, k, n),
                            c,
                            true);
            results.add(c.toFloats());
        }
        return results;
    }
}
