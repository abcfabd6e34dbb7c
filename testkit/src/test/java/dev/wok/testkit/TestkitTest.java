package dev.wok.testkit;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.DoubleSupplier;
import org.junit.jupiter.api.Test;

class TestkitTest {
    @Test
    void aFailingPropertyShrinksToTheSmallestFailingSizes() {
        String e = Thrown.message(
                AssertionError.class,
                () -> Property.of("shrinking")
                        .size("m", 0, 100)
                        .size("n", 1, 100)
                        .check(c -> {
                            if (c.size("m") >= 17 && c.size("n") >= 3) {
                                throw new AssertionError("too large");
                            }
                        }));
        assertTrue(e.startsWith("shrinking fails for {m=17, n=3} (repeat with -Dwok.seed="), e);
        assertTrue(e.endsWith("too large"), e);
    }

    @Test
    void aPropertyRunsTheSameCasesEachTimeAndBothExtremes() {
        List<String> first = new ArrayList<>();
        List<String> second = new ArrayList<>();
        Property.of("repeat")
                .size("m", 2, 60)
                .flag("f")
                .cases(20)
                .check(c -> first.add(c + " " + c.rng("a").bits(0)));
        Property.of("repeat")
                .size("m", 2, 60)
                .flag("f")
                .cases(20)
                .check(c -> second.add(c + " " + c.rng("a").bits(0)));
        assertEquals(first, second);
        assertEquals(20, first.stream().distinct().count());
        assertTrue(first.get(0).startsWith("{m=2, f=0}"));
        assertTrue(first.get(1).startsWith("{m=60, f=1}"));
    }

    @Test
    void closenessNamesTheWorstElementAndIsStrictAboutNaN() {
        Tensor expected = Tensor.of(1f, 2f, Float.NaN, Float.POSITIVE_INFINITY).reshape(2, 2);
        Close.assertClose(
                "x",
                expected,
                Tensor.of(1f, 2.25f, Float.NaN, Float.POSITIVE_INFINITY).reshape(2, 2),
                0.25);
        String e = Thrown.message(
                AssertionError.class,
                () -> Close.assertClose(
                        "x",
                        expected,
                        Tensor.of(1.5f, 2.75f, Float.NaN, Float.POSITIVE_INFINITY)
                                .reshape(2, 2),
                        0.25));
        assertEquals("x[0, 1] is 2.75, expected 2.0 within 0.250: off by 3.00 bounds", e);
        for (float wrong : new float[] {Float.NaN, Float.NEGATIVE_INFINITY}) {
            Tensor actual =
                    Tensor.of(1f, wrong, Float.NaN, Float.POSITIVE_INFINITY).reshape(2, 2);
            assertThrows(AssertionError.class, () -> Close.assertClose("x", expected, actual, 1e9));
        }
        assertThrows(AssertionError.class, () -> Close.assertClose("x", expected, Tensor.of(1f, 2f, 3f, 4f), 1e9));
        assertThrows(AssertionError.class, () -> Close.assertSame("x", Tensor.of(0f), Tensor.of(-0f)));
    }

    @Test
    void aRightGradientPassesAndAWrongOneFails() {
        Tensor x = Tensors.normal(Seeds.rng("gradient"), DType.F64, 7);
        DoubleSupplier loss = () -> {
            double sum = 0;
            for (double value : Tensors.values(x)) {
                sum += Math.exp(value) + value * value * value;
            }
            return sum;
        };
        Tensor gradient = Tensors.of(i -> Math.exp(x.get(i)) + 3 * x.get(i) * x.get(i), DType.F64, 7);
        Tensor before = Tensors.copy(x);
        GradCheck.check("loss", x, gradient, loss, 100, 1);
        Close.assertSame("the parameter", before, x);
        gradient.set(3, gradient.get(3) * 1.00001);
        String e = Thrown.message(AssertionError.class, () -> GradCheck.check("loss", x, gradient, loss, 100, 1));
        assertTrue(e.startsWith("loss: the gradient of element 3 of F64[7] is "), e);
    }

    @Test
    void onlyTheExpectedThrowableIsAccepted() {
        Thrown.Code code = () -> {
            throw new IllegalArgumentException("no");
        };
        assertEquals("no", Thrown.message(IllegalArgumentException.class, code));
        assertThrows(AssertionError.class, () -> Thrown.message(RuntimeException.class, code));
        assertThrows(AssertionError.class, () -> Thrown.message(RuntimeException.class, () -> {}));
    }

    @Test
    void framedTensorsNoticeAWriteOutside() {
        Tensors.Framed framed = Tensors.Framed.of(Tensors.of(i -> i, DType.F32, 2, 3, 4), 3);
        assertEquals(23, framed.view().get(framed.view().offset(1, 2, 3)));
        framed.requireGapsUntouched("frame");
        framed.view().set(4, 1);
        assertThrows(AssertionError.class, () -> framed.requireGapsUntouched("frame"));
    }

    @Test
    void progressIsRecorded() {
        RecordingProgress progress = new RecordingProgress();
        try (Progress.Task task = progress.start("reading", 10, "bytes")) {
            task.advance(4);
            task.advance(6);
            task.detail("half");
        }
        progress.say("done");
        RecordingProgress.Recorded task = progress.tasks().getFirst();
        assertEquals("reading 10 bytes", "%s %d %s".formatted(task.name(), task.total(), task.unit()));
        assertEquals(10, task.done());
        assertTrue(task.isClosed());
        assertEquals(List.of("half"), task.details());
        assertEquals(List.of("done"), progress.lines());
        assertEquals(
                "task 'reading' advances after its end",
                Thrown.message(IllegalStateException.class, () -> task.advance(1)));
    }
}
