package dev.wok.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.kernel.Rotary.Pairing;
import dev.wok.kernel.Routing.Scoring;
import dev.wok.kernel.x86.Isa;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Property;
import dev.wok.testkit.Property.Case;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import dev.wok.testkit.Thrown;
import java.lang.foreign.MemorySegment;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.SequencedMap;
import java.util.function.Function;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;

/// What the machine code of the operations on rows and elements must do beyond computing right: touch no byte beside
/// its operands, pass infinities and what is no number, refuse memory that it cannot reach.
class RowsAndElementsTest {
    private static final Map<Isa, Kernels> X86 = Arrays.stream(Isa.values())
            .collect(Collectors.toMap(Function.identity(), isa -> Contract.machineCode(2, isa, Precision.F32)));

    private static List<Kernels> x86() {
        return Contract.isas().stream().map(X86::get).filter(Objects::nonNull).toList();
    }

    private static Property sizes(String name) {
        return Property.of(name)
                .size("rows", 0, 40)
                .size("n", 1, 300)
                .size("m", 0, 70)
                .size("gap", 0, 3)
                .flag("one")
                .flag("two");
    }

    /// Every operation of the family with operands of these sizes.
    private static SequencedMap<String, Guarded.Call> calls(Kernels k, Case c) {
        int rows = c.size("rows");
        int n = c.size("n");
        int m = c.size("m");
        int gap = c.size("gap");
        boolean one = c.flag("one");
        SequencedMap<String, Guarded.Call> calls = new LinkedHashMap<>();
        calls.put("RmsNorm.forward", p -> {
            Tensor x = p.normal(c.rng("x"), gap, rows, n);
            Tensor y = one ? x : p.zeros(gap, rows, n);
            k.rmsNorm().forward(x, p.normal(c.rng("w"), 0, n), 1e-6, y, p.zeros(0, rows));
        });
        calls.put("RmsNorm.backward", p -> {
            Tensor rstd = p.exactly(i -> 0.5 + c.rng("rstd").uniform(i), DType.F32, 0, rows);
            k.rmsNorm()
                    .backward(
                            p.normal(c.rng("x"), gap, rows, n),
                            p.normal(c.rng("w"), 0, n),
                            rstd,
                            p.normal(c.rng("dy"), gap, rows, n),
                            p.normal(c.rng("dx"), gap, rows, n),
                            one,
                            p.normal(c.rng("dw"), 0, n));
        });
        calls.put(
                "Swiglu.forward",
                p -> k.swiglu().forward(p.normal(c.rng("x"), gap, rows, 2L * n), p.zeros(gap, rows, n)));
        calls.put("Swiglu.backward", p -> {
            Tensor x = p.normal(c.rng("x"), gap, rows, 2L * n);
            Tensor dx = one ? x : p.zeros(gap, rows, 2L * n);
            k.swiglu().backward(x, p.normal(c.rng("d"), gap, rows, n), dx);
        });
        calls.put("Rotary.table", p -> {
            int[] positions = new int[rows];
            Arrays.setAll(positions, t -> 31 * t);
            Tensor frequencies = p.normal(c.rng("f"), 0, n);
            k.rotary().table(p.integers(positions), frequencies, 1, p.zeros(gap, rows, n), p.zeros(gap, rows, n));
        });
        calls.put(
                "Rotary.rotate",
                p -> k.rotary()
                        .rotate(
                                p.normal(c.rng("x"), gap, rows, 1 + m % 4, 2L * n),
                                p.normal(c.rng("cos"), gap, rows, n),
                                p.normal(c.rng("sin"), gap, rows, n),
                                one ? Pairing.HALVES : Pairing.INTERLEAVED,
                                c.flag("two")));
        calls.put(
                "CrossEntropy.forward",
                p -> k.crossEntropy()
                        .forward(p.normal(c.rng("x"), gap, rows, n), p.integers(ids(c, rows, n)), p.zeros(0, rows)));
        calls.put(
                "CrossEntropy.forwardBackward",
                p -> k.crossEntropy()
                        .forwardBackward(
                                p.normal(c.rng("x"), gap, rows, n),
                                p.integers(ids(c, rows, n)),
                                0.3,
                                p.zeros(0, rows)));
        calls.put("Elementwise.add", p -> {
            Tensor a = p.normal(c.rng("a"), 0, rows, n);
            k.elementwise().add(a, p.normal(c.rng("b"), 0, rows, n), one ? a : p.zeros(0, rows, n));
        });
        calls.put(
                "Elementwise.addBias",
                p -> k.elementwise().addBias(p.normal(c.rng("x"), gap, rows, n), p.normal(c.rng("bias"), 0, n)));
        calls.put(
                "Elementwise.biasGradient",
                p -> k.elementwise().biasGradient(p.normal(c.rng("dy"), gap, rows, n), p.normal(c.rng("sum"), 0, n)));
        calls.put("Elementwise.fill", p -> {
            for (DType dtype : DType.values()) {
                k.elementwise().fill(p.exactly(_ -> 0, dtype, 0, rows, n), one ? 0 : -3);
            }
        });
        calls.put("Elementwise.cast", p -> {
            Tensor x = p.normal(c.rng("x"), gap, rows, n);
            Tensor narrow = p.exactly(_ -> 0, DType.BF16, gap, rows, n);
            k.elementwise().cast(x, narrow);
            k.elementwise().cast(narrow, p.zeros(gap, rows, n));
            k.elementwise().cast(narrow, p.exactly(_ -> 0, DType.BF16, 0, rows, n));
            k.elementwise().cast(x, p.zeros(0, rows, n));
        });
        calls.put(
                "Embedding.forward",
                p -> k.embedding()
                        .forward(
                                p.integers(ids(c, rows, 1 + m)),
                                p.normal(c.rng("table"), gap, 1 + m, n),
                                p.zeros(gap, rows, n)));
        calls.put(
                "Embedding.backward",
                p -> k.embedding()
                        .backward(
                                p.integers(ids(c, rows, 1 + m)),
                                p.normal(c.rng("d"), gap, rows, n),
                                p.normal(c.rng("table"), gap, 1 + m, n)));
        calls.put(
                "LatentKeys.forward",
                p -> k.latentKeys()
                        .forward(
                                p.normal(c.rng("nope"), gap, rows, 3, n),
                                p.normal(c.rng("rope"), gap, rows, m),
                                p.zeros(gap, rows, 3, n + m)));
        calls.put(
                "LatentKeys.backward",
                p -> k.latentKeys()
                        .backward(
                                p.normal(c.rng("dk"), gap, rows, 3, n + m),
                                p.zeros(gap, rows, 3, n),
                                p.zeros(gap, rows, m)));
        calls.put(
                "AdamW.clip",
                p -> k.adamW()
                        .clip(
                                List.of(p.normal(c.rng("a"), 0, rows, n), p.normal(c.rng("b"), 0, m)),
                                one ? 1 : 1e9,
                                p.zeros(0, 2)));
        calls.put(
                "AdamW.update",
                p -> k.adamW()
                        .update(
                                new AdamW.Step(0.01, 0.9, 0.95, 1e-8, 0.1, 3),
                                p.normal(c.rng("p"), 0, rows, n),
                                p.normal(c.rng("g"), 0, rows, n),
                                p.normal(c.rng("m"), 0, rows, n),
                                p.numbers(c.rng("v"), c.rng("v")::uniform, 0, rows, n),
                                p.exactly(_ -> 0.5, DType.F32, 0, 2)));
        Routing.Desc desc = new Routing.Desc(
                c.flag("two") ? Scoring.SOFTMAX : Scoring.SIGMOID, 2 * n + 2, 1 + n % 5, 2, 1 + n % 2, one, 2.5);
        calls.put(
                "Routing.forward",
                p -> k.routing()
                        .forward(
                                desc,
                                p.normal(c.rng("x"), gap, rows, desc.experts()),
                                one ? null : p.exactly(c.rng("bias")::normal, DType.F32, 0, desc.experts()),
                                p.zeros(gap, rows, desc.experts()),
                                p.unspecified(DType.I32, 0, rows, desc.topK()),
                                p.unspecified(DType.F32, 0, rows, desc.topK())));
        calls.put(
                "Routing.backward",
                p -> k.routing()
                        .backward(
                                desc,
                                p.numbers(c.rng("s"), c.rng("s")::uniform, gap, rows, desc.experts()),
                                p.exactly(i -> i % desc.topK(), DType.I32, 0, rows, desc.topK()),
                                p.normal(c.rng("dw"), 0, rows, desc.topK()),
                                one ? null : p.normal(c.rng("ds"), gap, rows, desc.experts()),
                                p.zeros(gap, rows, desc.experts())));
        calls.put(
                "Routing.plan",
                p -> k.routing()
                        .plan(
                                p.exactly(i -> i % (1 + m), DType.I32, 0, rows, 1),
                                new Routing.Plan(
                                        p.integers(new int[2 + m]),
                                        p.integers(new int[rows]),
                                        p.integers(new int[rows])),
                                p.integers(new int[1 + m])));
        calls.put("Routing.balance", p -> {
            int[] load = new int[n];
            Arrays.setAll(load, i -> c.rng("load").below(i, 5));
            k.routing().balance(p.integers(load), 0.001, p.normal(c.rng("bias"), 0, n));
        });
        calls.put(
                "BalanceLoss.forward",
                p -> k.balanceLoss()
                        .forward(
                                p.numbers(c.rng("s"), c.rng("s")::uniform, gap, 3L * rows, n),
                                1 + m % n,
                                3,
                                0.1,
                                p.unspecified(DType.F32, 0, rows, n),
                                p.unspecified(DType.F32, 0, 1)));
        calls.put(
                "BalanceLoss.backward",
                p -> k.balanceLoss()
                        .backward(
                                p.numbers(c.rng("s"), c.rng("s")::uniform, gap, 3L * rows, n),
                                3,
                                0.1,
                                p.normal(c.rng("f"), 0, rows, n),
                                p.zeros(gap, 3L * rows, n)));
        return calls;
    }

    /// One in eight is none.
    private static int[] ids(Case c, int count, int below) {
        int[] ids = new int[count];
        Arrays.setAll(
                ids, t -> c.rng("none").below(t, 8) == 0 ? -1 : c.rng("ids").below(t, below));
        return ids;
    }

    @Test
    void touchNothingBesideTheirOperands() {
        sizes("rows and elements, guarded").cases(15).check(c -> {
            for (Kernels kernels : x86()) {
                calls(kernels, c).forEach((name, call) -> {
                    try {
                        Guarded.check(kernels, call);
                    } catch (AssertionError e) {
                        throw new AssertionError(name + ": " + e.getMessage(), e);
                    }
                });
            }
        });
    }

    /// Each result is a number, an infinity or none where the reference's is.
    @Test
    void specialNumbersPassAsInTheReference() {
        sizes("rows and elements, special numbers").cases(15).check(c -> {
            Map<String, Guarded.Call> reference = calls(Contract.REFERENCE, c);
            for (Kernels kernels : x86()) {
                calls(kernels, c).forEach((name, call) -> {
                    List<Tensor> expected = Guarded.withSpecialNumbers(Objects.requireNonNull(reference.get(name)));
                    List<Tensor> given = Guarded.withSpecialNumbers(call);
                    for (int i = 0; i < expected.size(); i++) {
                        Close.assertSame(
                                "%s: kind of operand %d on %s"
                                        .formatted(name, i, kernels.choice().reason()),
                                kinds(expected.get(i)),
                                kinds(given.get(i)));
                    }
                });
            }
        });
    }

    /// Numbers become zero.
    private static Tensor kinds(Tensor tensor) {
        return Contract.map(tensor, x -> Double.isFinite(x) ? 0 : x);
    }

    /// Large results are stored past the caches: as the same rows in two calls, which are not.
    @Test
    void largeResultsAreThoseOfTheirParts() {
        int rows = 2100;
        int n = 2016;
        Tensor x = Tensors.normal(Seeds.rng("large x"), DType.F32, rows, 2 * n);
        Tensor d = Tensors.normal(Seeds.rng("large d"), DType.F32, rows, 2 * n);
        Tensor weight = Tensors.normal(Seeds.rng("large w"), DType.F32, 2 * n);
        Tensor rstd = Tensors.of(_ -> 0.75, DType.F32, rows);
        for (Kernels kernels : x86()) {
            Map<String, InRows> calls = new LinkedHashMap<>();
            calls.put(
                    "RmsNorm.forward",
                    (from, to, out) -> kernels.rmsNorm()
                            .forward(x.slice(0, from, to), weight, 1e-6, out, Tensors.zeros(DType.F32, to - from)));
            calls.put(
                    "RmsNorm.backward",
                    (from, to, out) -> kernels.rmsNorm()
                            .backward(
                                    x.slice(0, from, to),
                                    weight,
                                    rstd.slice(0, from, to),
                                    d.slice(0, from, to),
                                    out,
                                    false,
                                    Tensors.zeros(DType.F32, 2 * n)));
            calls.put(
                    "Swiglu.backward",
                    (from, to, out) -> kernels.swiglu()
                            .backward(x.slice(0, from, to), d.slice(0, from, to).slice(1, 0, n), out));
            calls.put(
                    "Elementwise.add",
                    (from, to, out) -> kernels.elementwise().add(x.slice(0, from, to), d.slice(0, from, to), out));
            calls.put("Elementwise.fill", (_, _, out) -> kernels.elementwise().fill(out, 3));
            calls.put("Elementwise.cast", (from, to, out) -> {
                Tensor narrow = Tensors.zeros(DType.BF16, to - from, 2 * n);
                kernels.elementwise().cast(x.slice(0, from, to), narrow);
                kernels.elementwise().cast(narrow, out);
            });
            calls.forEach((name, call) -> {
                Tensor whole = Tensors.zeros(DType.F32, rows, 2 * n);
                Tensor parts = Tensors.zeros(DType.F32, rows, 2 * n);
                call.on(0, rows, whole);
                call.on(0, rows / 3, parts.slice(0, 0, rows / 3));
                call.on(rows / 3, 2 * rows / 3, parts.slice(0, rows / 3, 2 * rows / 3));
                call.on(2 * rows / 3, rows, parts.slice(0, 2 * rows / 3, rows));
                assertEquals(-1, whole.memory().mismatch(parts.memory()), name);
            });
        }
    }

    private interface InRows {
        void on(long from, long to, Tensor out);
    }

    @Test
    void refuseMemoryThatMachineCodeCannotReach() {
        Tensor x = Tensors.zeros(DType.F32, 2, 3);
        Tensor heap = Tensor.of(MemorySegment.ofArray(new float[6]), DType.F32, 2, 3);
        Tensor device = Tensor.of(MemorySegment.ofAddress(4096), DType.F32, 2, 3);
        Tensor readOnly = Tensor.of(x.memory().asReadOnly(), DType.F32, 2, 3);
        for (Kernels kernels : x86()) {
            assertEquals(
                    "Elementwise on the x86 backend: an operand, F32[2, 3], lies in 24 bytes of heap memory,"
                            + " expected 24 of native memory",
                    Thrown.message(
                            IllegalArgumentException.class,
                            () -> kernels.elementwise().add(heap, x, x)));
            assertEquals(
                    "Elementwise on the x86 backend: an operand, F32[2, 3], lies in 0 bytes of native memory,"
                            + " expected 24 of native memory",
                    Thrown.message(
                            IllegalArgumentException.class,
                            () -> kernels.elementwise().add(x, device, x)));
            assertEquals(
                    "Elementwise: an operand, F32[2, 3], lies in memory that may only be read",
                    Thrown.message(
                            IllegalArgumentException.class,
                            () -> kernels.elementwise().add(readOnly, readOnly, readOnly)));
            String message = Thrown.message(
                    IllegalArgumentException.class,
                    () -> kernels.elementwise().cast(x, Tensors.zeros(DType.F16, 2, 3)));
            assertTrue(message.startsWith("Elementwise.cast"), message);
        }
    }
}
