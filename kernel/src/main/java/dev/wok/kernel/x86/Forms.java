package dev.wok.kernel.x86;

import dev.wok.kernel.Precision;
import dev.wok.kernel.Weight;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;

/// What weights look like to [Tile]: packed when they are first used, and again after they have changed. A form lives
/// as long as its weight is reachable.
final class Forms {
    /// @param transposed whether the products are with the transposed weight
    private record Key(boolean transposed, Precision precision) {}

    private static final class Form {
        final List<Panels> panels = new ArrayList<>();
        long version = -1;
    }

    private final Gemm gemm;
    private final Map<Weight, Map<Key, Form>> forms = new WeakHashMap<>();

    Forms(Gemm gemm) {
        this.gemm = gemm;
    }

    /// @param transposed true for `x w^T`, false for `dy w`
    /// @return the right operand, one for each expert
    synchronized List<Panels> of(Weight weight, boolean transposed, Precision precision) {
        Form form = forms.computeIfAbsent(weight, _ -> new HashMap<>())
                .computeIfAbsent(new Key(transposed, precision), _ -> allocate(weight, transposed, precision));
        if (form.version != weight.version()) {
            List<Gemm.Right> operands = new ArrayList<>();
            for (int e = 0; e < form.panels.size(); e++) {
                operands.add(new Gemm.Right(matrix(weight, e), transposed, p -> p, form.panels.get(e)));
            }
            gemm.pack(operands, precision);
            form.version = weight.version();
        }
        return form.panels;
    }

    private Form allocate(Weight weight, boolean transposed, Precision precision) {
        Tensor value = weight.value();
        int experts = value.rank() == 2 ? 1 : value.size(0);
        int rows = value.size(value.rank() - 2);
        int columns = value.size(value.rank() - 1);
        int n = transposed ? rows : columns;
        int k = transposed ? columns : rows;
        long bytes = (gemm.panelBytes(n, k, precision) + 63) / 64 * 64;
        MemorySegment memory = gemm.programs().device().scratch(Arena.ofAuto(), Math.max(1, experts * bytes));
        Form form = new Form();
        for (int e = 0; e < experts; e++) {
            form.panels.add(gemm.panels(memory.asSlice(e * bytes, bytes), n, k, precision));
        }
        return form;
    }

    private static Tensor matrix(Weight weight, int expert) {
        return weight.value().rank() == 2 ? weight.value() : weight.value().select(0, expert);
    }
}
