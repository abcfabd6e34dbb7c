package dev.wok.kernel;

import dev.wok.device.GuardedMemory;
import dev.wok.device.GuardedMemory.Flush;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Tensors;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.LongToDoubleFunction;

/// Repeats a call with every operand flush against protected pages, first with its beginning, then with its end: a
/// byte that is touched outside ends the process. All operands must come out as on ordinary memory, bit for bit.
///
/// ```java
/// Guarded.check(kernels, place -> {
///     Tensor x = place.normal(c.rng("x"), gap, rows, n);
///     kernels.elementwise().add(x, x, place.zeros(gap, rows, n));
/// });
/// ```
final class Guarded {
    /// Takes all its operands from a place and calls kernels with them.
    @FunctionalInterface
    interface Call {
        void on(Place place);
    }

    private interface Allocator {
        MemorySegment allocate(long bytes);
    }

    private Guarded() {}

    /// @param kernels for messages
    static void check(Kernels kernels, Call call) {
        List<Tensor> expected = onOrdinaryMemory(call).operands;
        for (Flush flush : Flush.values()) {
            try (GuardedMemory memory = new GuardedMemory()) {
                Place place = new Place(bytes -> memory.allocate(bytes, flush), flush, false);
                call.on(place);
                for (int i = 0; i < expected.size(); i++) {
                    String what = "operand %d flush at its %s on %s"
                            .formatted(i, flush, kernels.choice().reason());
                    Close.assertSame(what, expected.get(i), place.operands.get(i));
                }
            }
        }
    }

    private static Place onOrdinaryMemory(Call call) {
        Place place = new Place(Guarded::ordinary, Flush.END, false);
        call.on(place);
        return place;
    }

    /// Makes the call with one in some numbers replaced by an infinity or by none.
    ///
    /// @return the specified operands as they came out
    static List<Tensor> withSpecialNumbers(Call call) {
        Place place = new Place(Guarded::ordinary, Flush.END, true);
        call.on(place);
        place.operands.removeAll(place.unspecified);
        return place.operands;
    }

    private static MemorySegment ordinary(long bytes) {
        return Arena.ofAuto().allocate(Math.max(1, bytes), 64);
    }

    /// Where the operands of one call lie.
    static final class Place {
        private static final double[] SPECIAL = {
            Double.NaN, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY, Double.NaN
        };
        private static final int ONE_IN = 50;

        private final Allocator allocator;
        private final Flush flush;
        private final boolean special;
        private final List<Tensor> operands = new ArrayList<>();
        private final List<Tensor> unspecified = new ArrayList<>();

        private Place(Allocator allocator, Flush flush, boolean special) {
            this.allocator = allocator;
            this.flush = flush;
            this.special = special;
        }

        /// @return standard normal numbers
        Tensor normal(Rng rng, int gap, long... shape) {
            return numbers(rng, rng::normal, gap, shape);
        }

        /// @param rng says where special numbers stand instead
        /// @param value by index in row order
        Tensor numbers(Rng rng, LongToDoubleFunction value, int gap, long... shape) {
            Rng where = rng.split("special");
            return exactly(
                    i -> special && where.below(2 * i, ONE_IN) == 0
                            ? SPECIAL[where.below(2 * i + 1, SPECIAL.length)]
                            : value.applyAsDouble(i),
                    DType.F32,
                    gap,
                    shape);
        }

        Tensor zeros(int gap, long... shape) {
            return exactly(_ -> 0, DType.F32, gap, shape);
        }

        /// Zeros to be written with what no contract says where numbers are special.
        Tensor unspecified(DType dtype, int gap, long... shape) {
            Tensor tensor = exactly(_ -> 0, dtype, gap, shape);
            unspecified.add(tensor);
            return tensor;
        }

        Tensor integers(int... values) {
            return exactly(i -> values[(int) i], DType.I32, 0, values.length);
        }

        /// @param gap how much wider the last two dimensions are than what is seen of them; no gap lies at the end
        ///     that touches protected pages
        Tensor exactly(LongToDoubleFunction value, DType dtype, int gap, long... shape) {
            long[] wide = shape.clone();
            for (int i = Math.max(0, wide.length - 2); i < wide.length; i++) {
                wide[i] += gap;
            }
            long bytes = Shape.elements(wide) * dtype.bytes();
            Tensor view = Tensor.of(allocator.allocate(bytes), dtype, wide);
            for (int i = 0; i < shape.length; i++) {
                long from = flush == Flush.START ? 0 : wide[i] - shape[i];
                view = view.slice(i, from, from + shape[i]);
            }
            view.copyFrom(Tensors.of(value, dtype, shape));
            operands.add(view);
            return view;
        }

        @Override
        public String toString() {
            return Arrays.toString(operands.toArray());
        }
    }
}
