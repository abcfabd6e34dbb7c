package dev.wok.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import dev.wok.device.Device;
import dev.wok.device.Gpu;
import dev.wok.device.HostDevice;
import dev.wok.device.Memory;
import dev.wok.kernel.ptx.Gpus;
import dev.wok.kernel.x86.Isa;
import dev.wok.kernel.x86.Machine;
import dev.wok.kernel.x86.X86Kernels;
import dev.wok.tensor.Bf16;
import dev.wok.tensor.DType;
import dev.wok.tensor.Rng;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Tensors;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import java.util.function.DoubleUnaryOperator;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.LongToDoubleFunction;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/// Runs one operation on every backend and holds the results together: the fast kernels in float32 against the
/// reference in double precision within the bounds that the operation's test states, each with two and three threads
/// against itself with one, bit for bit. Inputs hold float32 values, so all backends see the same numbers. Inputs must
/// come out unchanged, and what lies between the rows of strided tensors must stay untouched.
final class Contract {
    /// Unit roundoff of float32: the largest relative error of one rounding.
    static final double U = 0x1p-24;

    /// Products of float32 that fall below the smallest normal number lose their relative accuracy.
    static final double TINY = 0x1p-120;

    /// How far two roundings to bfloat16 of nearly the same number may lie apart, relative to it: its unit roundoff
    /// 2^-8 on either side, and a little for what the float32 sums before them differ by.
    static final double TWO_ROUNDINGS = 0x1.04p-7;

    /* Code for instructions that the processor lacks runs in the emulator, some hundred times slower: in the slow run, see
     * EveryIsaTest.
     */
    private static volatile boolean all;

    /// Whether only PTX is checked, and of which kind.
    private static volatile @Nullable Ptx ptx;

    /// What PTX an operation has.
    enum Ptx {
        /// The same for every chip.
        COMMON,
        /// Other code for some chips.
        SPECIALISED
    }

    private static final String VECTOR_LABEL = "vector";

    private static final Memory HOST = Device.host(1).memory();

    static final Kernels REFERENCE = reference(Precision.F32);
    static final Kernels VECTOR = on(1, Backend.VECTOR, Precision.F32);
    private static final Map<Precision, List<Subject>> SUBJECTS =
            Arrays.stream(Precision.values()).collect(Collectors.toMap(Function.identity(), Contract::subjects));

    /// The reference and every backend under test, one thread, in float32.
    static final List<Kernels> ALL =
            Stream.concat(Stream.of(REFERENCE), fast(Precision.F32)).toList();

    /// A backend under test.
    ///
    /// @param label for messages
    /// @param threads the same kernels on one thread, and on more
    private record Subject(String label, List<Kernels> threads) {
        boolean isIn(List<Isa> isas) {
            return label.equals(VECTOR_LABEL)
                    || isas.stream().anyMatch(isa -> isa.text().equals(label));
        }
    }

    /// @return the sets of instructions that are to be checked now
    static List<Isa> isas() {
        return Arrays.stream(Isa.values())
                .filter(isa -> all || Machine.of(isa) == Machine.PROCESSOR)
                .toList();
    }

    /// @return how many cases to take of so many: fewer in the emulator, which is some hundred times slower
    static int cases(int count) {
        return ptx == null ? count : count / 6;
    }

    /// Runs tests on the GPU kernels alone, see [PtxTest].
    static void onPtx(Ptx kind, Runnable tests) {
        ptx = kind;
        try {
            tests.run();
        } finally {
            ptx = null;
        }
    }

    /// @return what tests that compare with known values run on: the reference and every backend in float32, or the GPU
    /// kernels alone, see [#onPtx]
    static List<Kernels> all() {
        return ptx == null ? ALL : gpus(Precision.F32);
    }

    private static List<Kernels> gpus(Precision precision) {
        return Gpus.subjects(precision, false, ptx == Ptx.SPECIALISED).values().stream()
                .map(List::getFirst)
                .toList();
    }

    /// @return a copy where these kernels see it
    static Packed seenBy(Kernels kernels, Packed w) {
        Tensor scales = w.element().isScaled() ? seenBy(kernels, w.scales()) : null;
        return Packed.of(w.element(), seenBy(kernels, w.values()), scales, w.n(), w.k(), w.group(), w.activations());
    }

    /// @return a copy where both these kernels and the host see it
    static Routing.Plan seenBy(Kernels kernels, Routing.Plan plan) {
        return new Routing.Plan(
                seenBy(kernels, plan.offsets()), seenBy(kernels, plan.rowSlot()), seenBy(kernels, plan.slotRow()));
    }

    /// @return the first number, or the second, smaller one on the GPU kernels, which run in the emulator
    static int orOnPtx(int number, int smaller) {
        return ptx == null ? number : smaller;
    }

    /// Runs tests with all sets of instructions every time.
    static void withAll(Runnable tests) {
        boolean before = all;
        all = true;
        try {
            tests.run();
        } finally {
            all = before;
        }
    }

    /// What is under test: a line for each backend, or for each level of instructions that one has here.
    private static List<Subject> subjects(Precision precision) {
        List<Subject> subjects = new ArrayList<>();
        subjects.add(subject(VECTOR_LABEL, threads -> on(threads, Backend.VECTOR, precision)));
        for (Isa isa : Isa.values()) {
            subjects.add(subject(isa.text(), threads -> machineCode(threads, isa, precision)));
        }
        return subjects;
    }

    /// @return machine code for the sets of instructions that are to be checked now
    static List<Kernels> machineCode(int threads, Precision precision) {
        return isas().stream().map(isa -> machineCode(threads, isa, precision)).toList();
    }

    static Kernels machineCode(int threads, Isa isa, Precision precision) {
        HostDevice host = Device.host(threads);
        return X86Kernels.on(host, isa, precision, Machine.of(isa).loader(host));
    }

    private static Subject subject(String label, IntFunction<Kernels> kernels) {
        return new Subject(label, IntStream.of(1, 2, 3).mapToObj(kernels).toList());
    }

    private static Kernels on(int threads, Backend backend, Precision precision) {
        return Kernels.on(Device.host(threads).stream(), backend, precision);
    }

    static Kernels reference(Precision precision) {
        return on(1, Backend.REFERENCE, precision);
    }

    /// @return whether only PTX is checked: in the emulator, so with fewer numbers
    static boolean isPtx() {
        return ptx != null;
    }

    /// @return the backends under test, one thread
    static Stream<Kernels> fast(Precision precision) {
        if (ptx != null) {
            return gpus(precision).stream();
        }
        List<Isa> isas = isas();
        return SUBJECTS.getOrDefault(precision, List.of()).stream()
                .filter(subject -> subject.isIn(isas))
                .map(subject -> subject.threads.getFirst());
    }

    /// @return memory that both the host and these kernels see
    static Memory memory(Kernels kernels) {
        return kernels.stream().device() instanceof Gpu gpu ? gpu.pinned() : HOST;
    }

    /// @return the tensor where kernels on the host are under test, a copy in their memory where they are on a GPU
    static Tensor seenBy(Kernels kernels, Tensor tensor) {
        if (!(kernels.stream().device() instanceof Gpu)) {
            return tensor;
        }
        Tensor copy = memory(kernels).tensor(tensor.dtype(), tensor.shape());
        copy.copyFrom(tensor);
        return copy;
    }

    /// Builds its operands from a run, calls the kernels, and names its results.
    @FunctionalInterface
    interface Operation {
        void on(Run run);
    }

    private Contract() {}

    /// Checks an operation without matrix products.
    static void check(Operation operation) {
        check(operation, Precision.F32, false);
    }

    /// Checks an operation in every precision of products.
    static void checkProducts(Operation operation) {
        for (Precision precision : EnumSet.allOf(Precision.class)) {
            check(operation, precision, true);
        }
    }

    /// Checks an operation on these kernels alone, each list of which must give the same bits.
    static void check(Operation operation, Precision precision, Map<String, List<Kernels>> subjects) {
        Run expected = run(operation, reference(precision), DType.F64);
        subjects.forEach((label, kernels) -> check(operation, precision, new Subject(label, kernels), expected));
    }

    private static void check(Operation operation, Precision precision, boolean hasProducts) {
        if (ptx != null) {
            check(operation, precision, Gpus.subjects(precision, hasProducts, ptx == Ptx.SPECIALISED));
            return;
        }
        Run reference = run(operation, reference(precision), DType.F64);
        List<Isa> isas = isas();
        for (Subject subject : SUBJECTS.getOrDefault(precision, List.of())) {
            if (subject.isIn(isas)) {
                check(operation, precision, subject, reference);
            }
        }
        operation.on(new Run(Kernels.on(Device.dry().stream(), Backend.DRY, precision), DType.F32));
    }

    private static void check(Operation operation, Precision precision, Subject subject, Run reference) {
        String label = " on %s, %s".formatted(subject.label, precision.text());
        List<Kernels> threads = subject.threads;
        Run one = run(operation, threads.getFirst(), DType.F32);
        assertEquals(reference.results.keySet(), one.results.keySet());
        reference.results.forEach((name, expected) ->
                Close.assertClose(name + label, expected.value, one.result(name), expected.bound.get()));
        for (Kernels kernels : threads.subList(1, threads.size())) {
            Run other = run(operation, kernels, DType.F32);
            one.results.forEach((name, expected) -> Close.assertSame(
                    name + label + ": " + kernels.choice().reason(), expected.value, other.result(name)));
        }
    }

    /// Runs what an operation must do on every kind of kernels, in float32: it looks at its results itself, behind
    /// [Run#synchronize].
    static void each(Operation operation) {
        Stream<Kernels> all = ptx == null
                ? ALL.stream()
                : Gpus.subjects(Precision.F32, false, ptx == Ptx.SPECIALISED).values().stream()
                        .flatMap(List::stream)
                        .distinct();
        all.forEach(kernels -> run(operation, kernels, DType.F32));
    }

    /// Runs an operation on the reference alone and gives its results.
    static Run reference(Operation operation) {
        return run(operation, REFERENCE, DType.F64);
    }

    private static Run run(Operation operation, Kernels kernels, DType dtype) {
        Run run = new Run(kernels, dtype);
        operation.on(run);
        kernels.stream().synchronize();
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

        private final Memory memory;

        private Run(Kernels kernels, DType dtype) {
            this.kernels = kernels;
            this.dtype = dtype;
            memory = Contract.memory(kernels);
        }

        Kernels kernels() {
            return kernels;
        }

        /// @return memory that the kernels and the host see
        Memory memory() {
            return memory;
        }

        DType dtype() {
            return dtype;
        }

        /// Waits for what was called, so that the host may look at it.
        void synchronize() {
            kernels.stream().synchronize();
        }

        /// @return whether this is the run that the bounds are computed from
        boolean isReference() {
            return dtype == DType.F64;
        }

        /// @return the relative error that rounding an intermediate result on its way into a product adds
        double roundingError() {
            return kernels.precision() == Precision.BF16 ? TWO_ROUNDINGS : 0;
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
            return read(frame(value, gap, shape));
        }

        private Tensor read(Tensors.Framed frame) {
            inputs.add(new Operand(frame, Tensors.copy(frame.view())));
            return frame.view();
        }

        /// An operand that the operation only reads, in BF16 where it computes in F32.
        Tensor narrow(LongToDoubleFunction value, int gap, long... shape) {
            LongToDoubleFunction rounded = i -> Bf16.round(value.applyAsDouble(i));
            Tensor source = Tensors.of(rounded, isReference() ? dtype : DType.BF16, shape);
            return read(Tensors.Framed.of(source, gap, memory::tensor));
        }

        /// An operand of a type of its own, whatever the operation computes in: zeros, to be written.
        Tensor zeros(DType own, int gap, long... shape) {
            Tensors.Framed frame = Tensors.Framed.of(Tensors.zeros(own, shape), gap, memory::tensor);
            frames.add(frame);
            return frame.view();
        }

        /// A packed weight, in memory that the kernels see.
        ///
        /// @param source `[n, k]` or `[experts, n, k]`
        Packed packed(Tensor source, Packed.Element element, int group, Activations activations) {
            Memory to = kernels.stream().device() instanceof Gpu gpu
                    ? gpu.pinned()
                    : Device.host(1).memory();
            return Packed.of(Tensors.as(DType.F32, source), element, group, activations, to);
        }

        Tensor integers(int... values) {
            Tensor tensor = memory.tensor(DType.I32, values.length);
            tensor.copyFrom(Tensor.of(values));
            inputs.add(new Operand(new Tensors.Framed(tensor, tensor, 0), Tensors.copy(tensor)));
            return tensor;
        }

        /// An operand of whole numbers that the operation writes or adds to.
        Tensor whole(LongToDoubleFunction value, long... shape) {
            return seenBy(kernels, Tensors.of(value, DType.I32, shape));
        }

        /// An operand that the operation only reads: standard normal numbers, rounded to E4M3.
        Tensor numbers(Rng rng, long... shape) {
            Tensor tensor = memory.tensor(DType.F8_E4M3, shape);
            tensor.copyFrom(Tensors.of(rng::normal, DType.F64, shape));
            inputs.add(new Operand(new Tensors.Framed(tensor, tensor, 0), Tensors.copy(tensor)));
            return tensor;
        }

        /// E4M3 that the operation writes.
        Tensor bytes(long... shape) {
            return memory.tensor(DType.F8_E4M3, shape);
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
            Tensors.Framed frame = Tensors.Framed.of(source, gap, memory::tensor);
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
