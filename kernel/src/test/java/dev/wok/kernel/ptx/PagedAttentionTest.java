package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Memory;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.PageTable;
import dev.wok.kernel.Precision;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

/// What attention over pages on a GPU adds to its doors' contracts.
class PagedAttentionTest {
    private static final int TOKENS = 6;
    private static final int HEADS = 6;
    private static final int PAGES = 9;
    private static final int ROWS = 80;
    private static final int DIM = 24;

    private static final int[] STARTS = {0, 2, 6};
    private static final int[] TABLE = {3, 1, 4, 8, 5, 0, 2, 6};
    private static final int[] POSITIONS = {310, 12, -1, 300, 255, 256};

    /// The first numbers of a latent, which are its value, and all.
    private static final int RANK = 128;

    private static final int LATENT = 136;

    /// @param keys `[pages, rows, kvHeads, dim]`
    private record Inputs(Memory memory, Tensor q, Tensor keys, Tensor values, PageTable table, Tensor positions) {
        /// Two heads of keys and values.
        static Inputs grouped(Memory memory, DType dtype) {
            Rng rng = Seeds.rng("paged");
            Tensor keys = normal(memory, rng.split("keys"), dtype, PAGES, ROWS, 2, DIM);
            return of(memory, DIM, keys, normal(memory, rng.split("values"), dtype, PAGES, ROWS, 2, DIM));
        }

        /// Keys whose first numbers are the values.
        static Inputs latent(Memory memory, DType dtype) {
            Tensor keys = normal(memory, Seeds.rng("latents"), dtype, PAGES, ROWS, 1, LATENT);
            return of(memory, LATENT, keys, keys.slice(3, 0, RANK));
        }

        private static Inputs of(Memory memory, int dim, Tensor keys, Tensor values) {
            return new Inputs(
                    memory,
                    normal(memory, Seeds.rng("queries"), DType.F32, TOKENS, HEADS, dim),
                    keys,
                    values,
                    new PageTable(
                            integers(memory, STARTS), integers(memory, TABLE).reshape(2, 4)),
                    integers(memory, POSITIONS));
        }

        Tensor attend(PagedAttention attention) {
            Tensor out = memory.tensor(DType.F32, TOKENS, HEADS, values.dim(3));
            attention.attend(q, keys, values, table, positions, 0.2, out);
            return out;
        }

        /// @return the same numbers in rows that begin anywhere
        Inputs shifted() {
            Tensor all = PagedAttentionTest.shifted(memory, keys);
            Tensor own = values.memory().address() == keys.memory().address()
                    ? all.slice(3, 0, values.dim(3))
                    : PagedAttentionTest.shifted(memory, values);
            return new Inputs(memory, PagedAttentionTest.shifted(memory, q), all, own, table, positions);
        }
    }

    private static Tensor normal(Memory memory, Rng rng, DType dtype, long... shape) {
        Tensor tensor = memory.tensor(dtype, shape);
        tensor.copyFrom(Tensors.normal(rng, dtype, shape));
        return tensor;
    }

    private static Tensor integers(Memory memory, int... values) {
        Tensor tensor = memory.tensor(DType.I32, values.length);
        tensor.copyFrom(Tensor.of(values));
        return tensor;
    }

    /// A body that checks one kernel.
    @FunctionalInterface
    private interface Check {
        void on(EmulatedGpu gpu, Programs programs, Precision precision, Inputs inputs);
    }

    private static void each(Check check) {
        for (DType dtype : new DType[] {DType.F32, DType.BF16}) {
            for (Precision precision : Precision.values()) {
                try (EmulatedGpu gpu = Device.emulated()) {
                    Inputs inputs = Inputs.grouped(gpu.pinned(), dtype);
                    check.on(gpu, new Programs(gpu, Target.SM_80), precision, inputs);
                }
            }
            for (Target target : new Target[] {Target.SM_80, Target.SM_90A}) {
                try (EmulatedGpu gpu = Device.emulated()) {
                    Inputs inputs = Inputs.latent(gpu.pinned(), dtype);
                    check.on(gpu, new Programs(gpu, target), Precision.BF16, inputs);
                }
            }
        }
    }

    /// Tokens one after another, as where there is little memory, and all at once.
    @Test
    void groupsOfTokensChangeNoBits() {
        each((gpu, programs, precision, inputs) -> {
            Tensor together = inputs.attend(new PagedAttention(programs, precision));
            Tensor apart = inputs.attend(new PagedAttention(programs, precision, 1));
            gpu.stream().synchronize();
            Close.assertSame(precision.text(), together, apart);
        });
    }

    /// Rows that begin anywhere, and rows that begin where many bytes can be read at once.
    @Test
    void alignmentChangesNoBits() {
        each((gpu, programs, precision, inputs) -> {
            Tensor aligned = inputs.attend(new PagedAttention(programs, precision));
            Tensor anywhere = inputs.shifted().attend(new PagedAttention(programs, precision));
            gpu.stream().synchronize();
            Close.assertSame(precision.text(), aligned, anywhere);
        });
    }

    private static Tensor shifted(Memory memory, Tensor tensor) {
        long[] wide = tensor.shape();
        int last = wide.length - 1;
        wide[last] += 3;
        Tensor view = memory.tensor(tensor.dtype(), wide).slice(last, 1, 1 + tensor.dim(last));
        view.copyFrom(tensor);
        return view;
    }

    /// What lies outside is not read, gives NaN, and the other tokens' bits are the same.
    @Test
    void badTablesGiveNaN() {
        each((gpu, programs, precision, inputs) -> {
            PagedAttention attention = new PagedAttention(programs, precision);
            Tensor good = inputs.attend(attention);
            gpu.stream().synchronize();
            int[] pages = TABLE.clone();
            pages[3] = PAGES;
            requireNaN(inputs, attention, STARTS, pages, POSITIONS, good, 0);
            pages[3] = -1;
            requireNaN(inputs, attention, STARTS, pages, POSITIONS, good, 0);
            int[] positions = POSITIONS.clone();
            positions[3] = 4 * ROWS;
            requireNaN(inputs, attention, STARTS, TABLE, positions, good, 3);
            positions[3] = Integer.MAX_VALUE;
            requireNaN(inputs, attention, STARTS, TABLE, positions, good, 3);
            requireNaN(inputs, attention, new int[] {0, 2, 5}, TABLE, POSITIONS, good, 5);
            requireNaN(inputs, attention, new int[] {1, 2, 6}, TABLE, POSITIONS, good, 0);
        });
    }

    private static void requireNaN(
            Inputs inputs, PagedAttention attention, int[] starts, int[] pages, int[] positions, Tensor good, int bad) {
        Memory memory = inputs.memory;
        PageTable table =
                new PageTable(integers(memory, starts), integers(memory, pages).reshape(2, 4));
        Inputs changed = new Inputs(memory, inputs.q, inputs.keys, inputs.values, table, integers(memory, positions));
        Tensor out = changed.attend(attention);
        for (int t = 0; t < TOKENS; t++) {
            double[] values = Tensors.values(out.slice(0, t, t + 1));
            if (t == bad) {
                assertTrue(Arrays.stream(values).allMatch(Double::isNaN), "token " + t);
            } else {
                Close.assertSame("token " + t, good.slice(0, t, t + 1), out.slice(0, t, t + 1));
            }
        }
    }
}
