package dev.wok.kernel.ptx;

import dev.wok.device.Memory;
import dev.wok.kernel.Dense;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.ref.Reference;
import java.lang.ref.ReferenceQueue;
import java.lang.ref.WeakReference;
import java.util.Arrays;
import java.util.Map;
import java.util.WeakHashMap;

/// What dense weights look like to the tensor cores, see [Bf16Operands]. One that lies so already is
/// its own form; others are rounded when they are first used, and again after they have changed. All
/// operations on a GPU share a weight's form, which lives as long as the weight is reachable.
final class DenseForms {
    private static final class Form extends WeakReference<Dense> {
        private final Memory memory;
        private final Tensor tensor;
        private long version = -1;

        Form(Dense weight, Memory memory, ReferenceQueue<Dense> gone) {
            super(weight, gone);
            this.memory = memory;
            long[] shape = weight.shape();
            int last = shape.length - 1;
            tensor = memory.tensor(DType.BF16, AlignedRows.padded(DType.BF16, shape))
                    .slice(last, 0, shape[last]);
        }
    }

    private final Programs programs;
    private final Map<Dense, Form> forms = new WeakHashMap<>();
    private final ReferenceQueue<Dense> gone = new ReferenceQueue<>();

    DenseForms(Programs programs) {
        this.programs = programs;
    }

    /// @return the bytes that the form takes beside the weight
    static long bytes(Dense weight) {
        return Bf16Operands.isReady(weight.value())
                ? 0
                : Arrays.stream(AlignedRows.padded(DType.BF16, weight.shape()))
                        .reduce(DType.BF16.bytes(), Math::multiplyExact);
    }

    /// @return the weight in bf16, of its own sizes
    synchronized Tensor bf16(Dense weight) {
        if (Bf16Operands.isReady(weight.value())) {
            return weight.value();
        }
        Form form = forms.get(weight);
        if (form == null) {
            release();
            form = new Form(weight, programs.gpu().memory(), gone);
            forms.put(weight, form);
        }
        if (form.version != weight.version()) {
            CopyRows.launch(programs, weight.value(), form.tensor);
            form.version = weight.version();
        }
        return form.tensor;
    }

    /// Gives the memory of weights back that nobody has any more.
    private void release() {
        for (Reference<?> each = gone.poll(); each != null; each = gone.poll()) {
            if (each instanceof Form form) {
                form.memory.close();
            }
        }
    }
}
