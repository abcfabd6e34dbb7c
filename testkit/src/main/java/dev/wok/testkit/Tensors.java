package dev.wok.testkit;

import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.util.function.LongToDoubleFunction;

/// Host tensors for tests; they live as long as they are reachable.
public final class Tensors {
    /// Stands in the gaps of strided tensors: a kernel that reads one spoils its result, one that writes is caught by
    /// [Framed#requireGapsUntouched].
    private static final double GAP = Double.NaN;

    private Tensors() {}

    /// Makes tensors.
    public interface Allocator {
        Tensor tensor(DType dtype, long... shape);
    }

    /// @return zeros
    public static Tensor zeros(DType dtype, long... shape) {
        return Tensor.allocate(Arena.ofAuto(), dtype, shape);
    }

    /// @return a contiguous tensor whose element `i` in row order is `value(i)`
    public static Tensor of(LongToDoubleFunction value, DType dtype, long... shape) {
        return fill(zeros(dtype, shape), value);
    }

    /// @return floats of twelve magnitudes and both signs: rounding shows in which order they were added
    public static float[] magnitudes(Rng rng, int count) {
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = Math.scalb(rng.below(2L * i, 20001) - 10000f, rng.below(2L * i + 1, 12) - 20);
        }
        return values;
    }

    /// @return standard normal numbers, contiguous
    public static Tensor normal(Rng rng, DType dtype, long... shape) {
        return of(rng::normal, dtype, shape);
    }

    /// @return a contiguous tensor of the same values in another type
    public static Tensor as(DType dtype, Tensor source) {
        Tensor copy = zeros(dtype, source.shape());
        copy.copyFrom(source);
        return copy;
    }

    /// @return a contiguous tensor of the same type and values
    public static Tensor copy(Tensor source) {
        return as(source.dtype(), source);
    }

    private static Tensor inside(Tensor around, long[] shape, int gap) {
        Tensor view = around;
        for (int i = 0; i < shape.length; i++) {
            long from = around.dim(i) > shape[i] ? gap / 2 : 0;
            view = view.slice(i, from, from + shape[i]);
        }
        return view;
    }

    /// A strided tensor in a frame of NaN, to be written by the code under test.
    ///
    /// @param around the whole block
    /// @param view the tensor within it
    /// @param gap how much wider the block is
    public record Framed(Tensor around, Tensor view, int gap) {
        /// @param source initial values
        /// @param gap elements around the last two dimensions
        public static Framed of(Tensor source, int gap) {
            return of(source, gap, Tensors::zeros);
        }

        /// @param memory where the block is to lie, such as that of a device
        public static Framed of(Tensor source, int gap, Allocator memory) {
            long[] wide = source.shape();
            for (int i = Math.max(0, wide.length - 2); i < wide.length; i++) {
                wide[i] += gap;
            }
            Tensor around = fill(memory.tensor(source.dtype(), wide), _ -> GAP);
            Tensor view = inside(around, source.shape(), gap);
            view.copyFrom(source);
            return new Framed(around, view, gap);
        }

        /// @throws AssertionError where something outside the view was written
        public void requireGapsUntouched(String what) {
            Tensor marks = zeros(DType.I32, around.shape());
            inside(marks, view.shape(), gap).copyFrom(Tensors.of(_ -> 1, DType.I32, view.shape()));
            for (long i = 0; i < around.elements(); i++) {
                if (marks.get(i) == 0 && !Double.isNaN(around.get(i))) {
                    throw new AssertionError(
                            "%s: element %d of the block around %s was written".formatted(what, i, view));
                }
            }
        }
    }

    private static Tensor fill(Tensor tensor, LongToDoubleFunction value) {
        for (long i = 0; i < tensor.elements(); i++) {
            tensor.set(i, value.applyAsDouble(i));
        }
        return tensor;
    }

    /// @return the elements in row order
    public static double[] values(Tensor tensor) {
        Tensor copy = as(DType.F64, tensor);
        double[] values = new double[Math.toIntExact(copy.elements())];
        for (int i = 0; i < values.length; i++) {
            values[i] = copy.get(i);
        }
        return values;
    }
}
