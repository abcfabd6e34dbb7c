package dev.wok.device.emulated;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.DynamicTest.dynamicTest;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Launch;
import dev.wok.device.PtxFault;
import dev.wok.device.TensorMap;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;

/// Copies by tensor maps of 1 to 5 dimensions, with boxes that reach beyond the tensor on every side, against loops.
class TensorMapsTest {
    private static final int SHARED = 16384;

    /// @param sizes the innermost first
    /// @param padding bytes between rows of dimension 1 on
    private record Case(
            DType type, long[] sizes, int[] box, int padding, TensorMap.Swizzle swizzle, TensorMap.Fill fill) {
        int rank() {
            return sizes.length;
        }

        long[] strides() {
            long[] strides = new long[rank()];
            strides[0] = type.bytes();
            for (int i = 1; i < rank(); i++) {
                strides[i] = Math.ceilDiv(strides[i - 1] * sizes[i - 1], 16) * 16 + (i == 1 ? padding : 0);
            }
            return strides;
        }

        long bytes() {
            return strides()[rank() - 1] * sizes[rank() - 1] + padding;
        }

        TensorMap map(Tensor tensor) {
            List<Long> strides = new ArrayList<>();
            for (int i = 1; i < rank(); i++) {
                strides.add(strides()[i]);
            }
            return new TensorMap(
                    type,
                    tensor.memory().address(),
                    Arrays.stream(sizes).boxed().toList(),
                    strides,
                    Arrays.stream(box).boxed().toList(),
                    Collections.nCopies(rank(), 1),
                    swizzle,
                    TensorMap.Promotion.NONE,
                    fill);
        }

        int elements() {
            return Arrays.stream(box).reduce(1, (a, b) -> a * b);
        }

        /// @return where a box's element lies in shared memory
        int place(int element) {
            int at = element * type.bytes();
            int piece = at / 16 % 8;
            int row = at / 128 % 8;
            int moved = switch (swizzle) {
                case NONE -> piece;
                case B32 -> piece & 6 | (piece ^ row) & 1;
                case B64 -> piece & 4 | (piece ^ row) & 3;
                case B128 -> piece ^ row;
            };
            return at + (moved - piece) * 16;
        }

        /// @return where an element of a box lies in the tensor, in bytes, or -1
        long source(int element, int[] coordinates) {
            long at = 0;
            int rest = element;
            for (int i = 0; i < rank(); i++) {
                long position = coordinates[i] + (long) (rest % box[i]);
                rest /= box[i];
                if (position < 0 || position >= sizes[i]) {
                    return -1;
                }
                at += position * strides()[i];
            }
            return at;
        }

        @Override
        public String toString() {
            return "%s %s, box %s, %s, %s".formatted(type, Arrays.toString(sizes), Arrays.toString(box), swizzle, fill);
        }
    }

    private static List<Case> cases() {
        List<Case> all = new ArrayList<>();
        TensorMap.Fill zeros = TensorMap.Fill.ZEROS;
        for (DType type : List.of(DType.U8, DType.BF16, DType.F32, DType.F64)) {
            int row = 32 / type.bytes();
            TensorMap.Swizzle none = TensorMap.Swizzle.NONE;
            all.add(new Case(type, new long[] {50}, new int[] {row}, 0, none, zeros));
            all.add(new Case(type, new long[] {37, 11}, new int[] {row, 4}, 32, none, zeros));
            all.add(new Case(type, new long[] {37, 5, 7}, new int[] {row, 3, 2}, 16, none, zeros));
            all.add(new Case(type, new long[] {row + 3, 3, 4, 5}, new int[] {row, 2, 2, 3}, 0, none, zeros));
            all.add(new Case(type, new long[] {row + 3, 3, 2, 3, 4}, new int[] {row, 2, 2, 2, 2}, 48, none, zeros));
            all.add(new Case(
                    type, new long[] {70, 20}, new int[] {32 / type.bytes(), 16}, 0, TensorMap.Swizzle.B32, zeros));
            all.add(new Case(
                    type, new long[] {70, 20}, new int[] {64 / type.bytes(), 16}, 0, TensorMap.Swizzle.B64, zeros));
            all.add(new Case(
                    type, new long[] {170, 20}, new int[] {128 / type.bytes(), 16}, 0, TensorMap.Swizzle.B128, zeros));
        }
        all.add(new Case(
                DType.F32, new long[] {37, 11}, new int[] {8, 4}, 0, TensorMap.Swizzle.NONE, TensorMap.Fill.NAN));
        all.add(new Case(
                DType.BF16, new long[] {70, 20}, new int[] {64, 16}, 0, TensorMap.Swizzle.B128, TensorMap.Fill.NAN));
        return all;
    }

    /// Within, at each edge, before the beginning, beyond the end, and outside altogether.
    private static List<int[]> coordinates(Case c) {
        List<int[]> all = new ArrayList<>();
        for (int[] base : new int[][] {new int[5], {3, 1, 1, 1, 1}}) {
            all.add(Arrays.copyOf(base, c.rank()));
            for (int i = 0; i < c.rank(); i++) {
                for (long at : new long[] {
                    -1, -c.box[i] + 1, -c.box[i], c.sizes[i] - 1, c.sizes[i] - c.box[i], c.sizes[i], -100000
                }) {
                    int[] coordinates = Arrays.copyOf(base, c.rank());
                    coordinates[i] = (int) at;
                    all.add(coordinates);
                }
            }
        }
        int[] corner = new int[c.rank()];
        for (int i = 0; i < c.rank(); i++) {
            corner[i] = (int) c.sizes[i] - c.box[i] / 2;
        }
        all.add(corner);
        return all;
    }

    private static String text(int rank, boolean isStore) {
        StringBuilder names = new StringBuilder();
        StringBuilder loads = new StringBuilder();
        for (int i = 0; i < rank; i++) {
            names.append(i == 0 ? "" : ", ").append("%x").append(i);
            loads.append("ld.global.b32 %x")
                    .append(i)
                    .append(", [%w+")
                    .append(4 * i)
                    .append("];\n");
        }
        String copy = isStore ? """
                  fence.proxy.async.shared::cta;
                  bar.sync 0;
                  @%%p bra DONE;
                  cp.async.bulk.tensor.%1$dd.global.shared::cta.tile.bulk_group [%%m, {%2$s}], [%%s];
                  cp.async.bulk.commit_group;
                  cp.async.bulk.wait_group 0;
                  DONE:
                  """ : """
                  bar.sync 0;
                  @%%p bra WAIT;
                  fence.proxy.async.shared::cta;
                  mbarrier.arrive.expect_tx.shared::cta.b64 _, [bar], %%n;
                  cp.async.bulk.tensor.%1$dd.shared::cluster.global.tile.mbarrier::complete_tx::bytes [%%s], [%%m, {%2$s}], [bar];
                  WAIT:
                  mbarrier.try_wait.parity.shared::cta.b64 %%p, [bar], 0;
                  @!%%p bra WAIT;
                  """;
        String out = """
                mov.u32 %y, %t;
                OUT:
                setp.ge.u32 %q, %y, %n;
                @%q bra OVER;
                cvt.u64.u32 %w, %y; add.u64 %w, %w, %o; add.u32 %z, %s, %y;
                ld.shared.u8 %v, [%z]; st.global.u8 [%w], %v;
                add.u32 %y, %y, 128;
                bra OUT;
                OVER:
                """;
        String in = out.replace("OUT", "IN")
                .replace("OVER", "FILLED")
                .replace(
                        "ld.shared.u8 %v, [%z]; st.global.u8 [%w], %v;",
                        "ld.global.u8 %v, [%w]; st.shared.u8 [%z], %v;");
        return """
                .version 8.5
                .target sm_90a
                .address_size 64
                .extern .shared .align 1024 .b8 smem[];
                .visible .entry k(.param .u64 pc, .param .u64 po, .param .u32 pn, .param .align 64 .b8 pm[128]) {
                .shared .align 8 .b64 bar;
                .reg .b32 %t, %s, %n, %x<5>, %y, %z; .reg .b16 %v; .reg .b64 %m, %w, %o; .reg .pred %p, %q;
                ld.param.u64 %w, [pc]; ld.param.u64 %o, [po]; ld.param.u32 %n, [pn];
                mov.u32 %t, %tid.x; mov.u32 %s, smem; setp.ne.u32 %p, %t, 0;
                mov.u64 %m, pm; cvta.param.u64 %m, %m;
                @!%p mbarrier.init.shared::cta.b64 [bar], 1;
                """
                + loads
                + (isStore ? in + copy.formatted(rank, names) : copy.formatted(rank, names) + out)
                + "ret; }\n";
    }

    static List<String> texts() {
        List<String> texts = new ArrayList<>();
        for (int rank = 1; rank <= 5; rank++) {
            texts.add(text(rank, false));
            texts.add(text(rank, true));
        }
        return texts;
    }

    @TestFactory
    Stream<DynamicTest> boxesAreLoadedAndStored() {
        return cases().stream()
                .map(c -> dynamicTest(c.toString(), () -> {
                    for (int[] coordinates : coordinates(c)) {
                        check(c, coordinates);
                    }
                }));
    }

    private static byte at(Tensor tensor, long offset) {
        return tensor.memory().get(ValueLayout.JAVA_BYTE, offset);
    }

    private static void check(Case c, int[] coordinates) {
        String where = c + " at " + Arrays.toString(coordinates);
        try (EmulatedGpu gpu = Device.emulated()) {
            Tensor source = gpu.pinned().tensor(DType.U8, c.bytes());
            Tensor target = gpu.pinned().tensor(DType.U8, c.bytes());
            for (int i = 0; i < c.bytes(); i++) {
                source.set(i, (i * 37 + i / 256 * 11) % 251);
                target.set(i, 255);
            }
            Tensor given = gpu.pinned().tensor(DType.I32, 5);
            for (int i = 0; i < coordinates.length; i++) {
                given.setInt(i, coordinates[i]);
            }
            int width = c.type.bytes();
            int bytes = c.elements() * width;
            Tensor tile = gpu.pinned().tensor(DType.U8, bytes);
            Launch launch = Launch.of(1, 128).withShared(SHARED);
            gpu.stream()
                    .launch(gpu.load(text(c.rank(), false)).function("k"), launch, given, tile, bytes, c.map(source));
            for (int element = 0; element < c.elements(); element++) {
                long from = c.source(element, coordinates);
                int place = c.place(element);
                for (int i = 0; i < width; i++) {
                    if (from >= 0) {
                        assertEquals(at(source, from + i), at(tile, place + i), where);
                    } else if (c.fill == TensorMap.Fill.ZEROS) {
                        assertEquals(0, at(tile, place + i), where);
                    }
                }
                if (from < 0 && c.fill == TensorMap.Fill.NAN) {
                    double value = width == 4
                            ? tile.memory().get(ValueLayout.JAVA_FLOAT_UNALIGNED, place)
                            : Float.intBitsToFloat(tile.memory().get(ValueLayout.JAVA_SHORT_UNALIGNED, place) << 16);
                    assertTrue(Double.isNaN(value), where);
                }
            }
            for (int i = 0; i < bytes; i++) {
                tile.set(i, (i * 29 + 5) % 249);
            }
            gpu.stream()
                    .launch(gpu.load(text(c.rank(), true)).function("k"), launch, given, tile, bytes, c.map(target));
            byte[] expected = new byte[(int) c.bytes()];
            Arrays.fill(expected, (byte) 255);
            for (int element = 0; element < c.elements(); element++) {
                long to = c.source(element, coordinates);
                for (int i = 0; i < width && to >= 0; i++) {
                    expected[(int) to + i] = at(tile, c.place(element) + i);
                }
            }
            for (int i = 0; i < expected.length; i++) {
                assertEquals(expected[i], at(target, i), where + " byte " + i);
            }
        }
    }

    @Test
    void aMapOfOtherDimensionsIsRefused() {
        try (EmulatedGpu gpu = Device.emulated()) {
            Tensor source = gpu.pinned().tensor(DType.F32, 64, 64);
            PtxFault fault = assertThrows(
                    PtxFault.class,
                    () -> gpu.stream()
                            .launch(
                                    gpu.load(text(3, false)).function("k"),
                                    Launch.of(1, 128).withShared(SHARED),
                                    source,
                                    source,
                                    1024,
                                    TensorMap.of(source, 8, 8)));
            assertEquals(PtxFault.Kind.INVALID, fault.kind());
            assertTrue(String.valueOf(fault.getMessage()).contains("use a map of 2 dimensions as one of 3"));
        }
    }
}
