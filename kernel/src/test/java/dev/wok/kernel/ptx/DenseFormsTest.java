package dev.wok.kernel.ptx;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;

import dev.wok.device.Device;
import dev.wok.device.EmulatedGpu;
import dev.wok.device.Memory;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Dense;
import dev.wok.kernel.Weight;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import dev.wok.testkit.Close;
import dev.wok.testkit.Seeds;
import dev.wok.testkit.Tensors;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class DenseFormsTest {
    private final EmulatedGpu gpu = Device.emulated();
    private final Memory memory = gpu.pinned();
    private final Programs programs = new Programs(gpu, Target.SM_80);

    @AfterEach
    void close() {
        gpu.close();
    }

    private void fill(Tensor value, String seed) {
        value.copyFrom(Tensors.normal(Seeds.rng(seed), DType.F32, value.shape()));
    }

    private static Tensor rounded(Tensor value) {
        return Tensors.as(DType.BF16, value);
    }

    private Tensor form(Dense weight) {
        return programs.forms().bf16(weight);
    }

    private Tensor read(Tensor form) {
        Tensor here = memory.tensor(form.dtype(), form.shape());
        CopyRows.launch(programs, form, here);
        gpu.stream().synchronize();
        return here;
    }

    @Test
    void aFormFollowsItsWeight() {
        Tensor value = memory.tensor(DType.F32, 3, 5, 12);
        Dense weight = Weight.of(value);
        fill(value, "first");
        Tensor form = form(weight);
        Close.assertSame("rounded", rounded(value), read(form));
        Tensor before = rounded(value);
        fill(value, "second");
        assertSame(form, form(weight));
        Close.assertSame("unchanged until told", before, read(form));
        weight.changed();
        assertSame(form, form(weight));
        Close.assertSame("rounded anew", rounded(value), read(form));
    }

    /// What [DenseForms#bytes] says is what lies between the first row and the end of the last.
    @Test
    void aFormTakesItsRowsOfWholePieces() {
        Dense weight = Weight.of(memory.tensor(DType.F32, 3, 5, 12));
        Tensor form = form(weight);
        assertEquals(16, form.stride(1));
        assertEquals(form.dim(0) * form.stride(0) * DType.BF16.bytes(), DenseForms.bytes(weight));
        Tensor ready = memory.tensor(DType.BF16, 5, 16);
        assertSame(ready, form(Weight.of(ready)));
        assertEquals(0, DenseForms.bytes(Weight.of(ready)));
        Dense column = Weight.of(memory.tensor(DType.BF16, 5, 16).slice(1, 1, 16));
        assertEquals(5 * 16 * DType.BF16.bytes(), DenseForms.bytes(column));
        Close.assertSame("a column on", column.value(), read(form(column)));
    }
}
