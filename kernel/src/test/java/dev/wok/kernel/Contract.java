package dev.wok.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.kernel.x86.X86Subjects;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Tensors;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.SequencedMap;
import java.util.function.DoubleUnaryOperator;
import java.util.function.LongToDoubleFunction;
import java.util.function.Supplier;
import java.util.stream.Stream;

/// Runs one operation on every backend and holds the results together: the vector kernels in float32 against the
/// reference in double precision within the bounds that the operation's test states, the vector kernels with two and
/// three threads against those with one, bit for bit. Inputs hold float32 values, so all backends see the same
/// numbers. Inputs must come out unchanged, and what lies between the rows of strided tensors must stay untouched.
final class Contract {
    /// Unit roundoff of float32: the largest relative error of one rounding.
    static final double U = 0x1p-24;

    /// Products of float32 that fall below the smallest normal number lose their relative accuracy.
    static final double TINY = 0x1p-120;

    static final Kernels REFERENCE = Kernels.on(Device.host(1).stream(), Backend.REFERENCE);
    static final Kernels VECTOR = Kernels.on(Device.host(1).stream(), Backend.VECTOR);
    private static final List<Kernels> MORE_THREADS = List.of(
            Kernels.on(Device.host(2).stream(), Backend.VECTOR), Kernels.on(Device.host(3).stream(), Backend.VECTOR));
    private static final List<List<Kernels>> X86 = X86Subjects.upTo(3);
    private static final Kernels DRY = Kernels.on(Device.dry().stream(), Backend.DRY);

    /// Builds its operands from a run, calls the kernels, and names its results.
    @FunctionalInterface
    interface Operation {
        void on(Run run);
    }

    private Contract() {}

    /// @return the kernels of every backend that computes, on one thread
    static List<Kernels> all() {
        return Stream.concat(Stream.of(REFERENCE, VECTOR), X86.stream().map(List::getFirst))
                .toList();
    }

    static void check(Operation operation) {
        Run reference = run(operation, REFERENCE, DType.F64);
        Run vector = run(operation, VECTOR, DType.F32);
        assertEquals(reference.results.keySet(), vector.results.keySet());
        reference.results.forEach(
                (name, expected) -> Close.assertClose(name, expected.value, vector.result(name), expected.bound.get()));
        for (Kernels kernels : MORE_THREADS) {
            Run other = run(operation, kernels, DType.F32);
            vector.results.forEach((name, expected) ->
                    Close.assertSame(name + " on " + kernels.choice().reason(), expected.value, other.result(name)));
        }
        for (List<Kernels> threads : X86) {
            Run one = run(operation, threads.getFirst(), DType.F32);
            reference.results.forEach((name, expected) -> Close.assertClose(
                    name + " on " + one.kernels.choice().reason(),
                    expected.value,
                    one.result(name),
                    expected.bound.get()));
            for (Kernels kernels : threads.subList(1, threads.size())) {
                Run other = run(operation, kernels, DType.F32);
                one.results.forEach((name, expected) -> Close.assertSame(
                        name + " on " + kernels.choice().reason(), expected.value, other.result(name)));
            }
        }
        operation.on(new Run(DRY, DType.F32));
    }

    /// Runs an operation on the reference alone and gives its results.
    static Run reference(Operation operation) {
        return run(operation, REFERENCE, DType.F64);
    }

    private static Run run(Operation operation, Kernels kernels, DType dtype) {
        Run run = new Run(kernels, dtype);
        operation.on(run);
        run.requireOperandsIntact();
        return run;
    }

    private record Result(Tensor value, Supplier<Tensor> bound) {}

    private record Operand(Tensors.Framed frame, Tensor before) {}

    /// One execution: a backend, the element type it computes in, its operands and results.
    static final class Run {
        private final Kernels kernels;
        private final DType dtype;
        private final List<Operand> inputs = new ArrayList<>();
        private final List<Tensors.Framed> frames = new ArrayList<>();
        private final SequencedMap<String, Result> results = new LinkedHashMap<>();

        private Run(Kernels kernels, DType dtype) {
            this.kernels = kernels;
            this.dtype = dtype;
        }

        Kernels kernels() {
            return kernels;
        }

        DType dtype() {
            return dtype;
        }

        /// An operand that the operation only reads: standard normal numbers.
        Tensor input(Rng rng, int gap, long... shape) {
            return input(rng::normal, gap, shape);
        }

        /// An operand that the operation only reads.
        ///
        /// @param value by index in row order, rounded to float32
        /// @param gap how many foreign elements lie between rows
        Tensor input(LongToDoubleFunction value, int gap, long... shape) {
            Tensors.Framed frame = frame(value, gap, shape);
            inputs.add(new Operand(frame, Tensors.copy(frame.view())));
            return frame.view();
        }

        Tensor integers(int... values) {
            Tensor tensor = Tensor.of(values);
            inputs.add(new Operand(new Tensors.Framed(tensor, tensor, 0), Tensors.copy(tensor)));
            return tensor;
        }

        /// An operand that the operation adds to: standard normal numbers.
        Tensor updated(Rng rng, int gap, long... shape) {
            return frame(rng::normal, gap, shape).view();
        }

        Tensor updated(LongToDoubleFunction value, int gap, long... shape) {
            return frame(value, gap, shape).view();
        }

        /// An operand that the operation writes without looking at it.
        Tensor written(int gap, long... shape) {
            return frame(_ -> Double.NaN, gap, shape).view();
        }

        private Tensors.Framed frame(LongToDoubleFunction value, int gap, long... shape) {
            Tensor source = Tensors.of(i -> (float) value.applyAsDouble(i), dtype, shape);
            Tensors.Framed frame = Tensors.Framed.of(source, gap);
            frames.add(frame);
            return frame;
        }

        /// A result that must be right to the last bit.
        void exact(String name, Tensor value) {
            result(name, value, () -> Tensors.zeros(DType.F64, value.shape()));
        }

        /// A result with an absolute bound for each element, computed where this is the reference's run.
        void result(String name, Tensor value, Supplier<Tensor> bound) {
            results.put(name, new Result(value, bound));
        }

        /// A result whose error is within a factor of its own size.
        void relative(String name, Tensor value, double factor) {
            result(name, value, () -> map(value, v -> factor * Math.abs(v) + TINY));
        }

        Tensor result(String name) {
            Result result = results.get(name);
            if (result == null) {
                throw new AssertionError("no result " + name);
            }
            return result.value;
        }

        private void requireOperandsIntact() {
            for (Operand input : inputs) {
                Close.assertSame("an input", input.before, input.frame.view());
            }
            for (Tensors.Framed frame : frames) {
                frame.requireGapsUntouched("an operand");
            }
        }
    }

    /// @return absolute values, contiguous, F64
    static Tensor abs(Tensor tensor) {
        return map(tensor, Math::abs);
    }

    /// @return a function of each element, contiguous, F64
    static Tensor map(Tensor tensor, DoubleUnaryOperator function) {
        double[] values = Tensors.values(tensor);
        return Tensors.of(i -> function.applyAsDouble(values[(int) i]), DType.F64, tensor.shape());
    }

    /// `sum_i a_i b_i`: the loss whose gradient with respect to `a` is `b`.
    static double dot(Tensor a, Tensor b) {
        double[] left = Tensors.values(a);
        double[] right = Tensors.values(b);
        double sum = 0;
        for (int i = 0; i < left.length; i++) {
            sum += left[i] * right[i];
        }
        return sum;
    }
}
