package dev.wok.kernel.x86;

import dev.wok.kernel.Dense;
import dev.wok.kernel.Precision;
import dev.wok.tensor.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.WeakHashMap;
import java.util.function.Supplier;

/// What weights look like to [Tile]: packed when they are first used, and again after they have
/// changed, with it those forms of the weight that were in use meanwhile, so that it is read once. A
/// form lives as long as its weight is reachable.
final class Forms {
    /// @param transposed whether the products are with the transposed weight
    private record Key(boolean transposed, Precision precision) {}

    private record HeadsKey(int heads, int keyRows, Precision precision) {}

    /// @param transposed whether it is `[n, k]`
    private record Part(Tensor matrix, boolean transposed) {
        int n() {
            return matrix.size(transposed ? 0 : 1);
        }

        int k() {
            return matrix.size(transposed ? 1 : 0);
        }
    }

    private static final class Form {
        final Precision precision;
        final List<Part> parts;
        final List<Panels> panels = new ArrayList<>();

        /// Of the weight, when this was packed.
        long version = -1;

        /// Of the weight, when this was last asked for.
        long used = -1;

        Form(Precision precision, List<Part> parts) {
            this.precision = precision;
            this.parts = parts;
        }
    }

    private final Gemm gemm;
    private final Map<Dense, Map<Object, Form>> forms = new WeakHashMap<>();

    Forms(Gemm gemm) {
        this.gemm = gemm;
    }

    /// @param transposed true for `x w^T`, false for `dy w`
    /// @return the right operand, one for each expert
    List<Panels> of(Dense weight, boolean transposed, Precision precision) {
        return of(weight, new Key(transposed, precision), precision, () -> {
            Tensor value = weight.value();
            List<Part> parts = new ArrayList<>();
            for (int e = 0; e < (value.rank() == 2 ? 1 : value.size(0)); e++) {
                parts.add(new Part(value.rank() == 2 ? value : value.select(0, e), transposed));
            }
            return parts;
        });
    }

    /// The heads of a weight `[heads * (keyRows + valueRows), k]`.
    ///
    /// @return for each head `w` of its key rows, then for each head `w^T` of its value rows
    List<Panels> ofHeads(Dense weight, int heads, int keyRows, Precision precision) {
        return of(weight, new HeadsKey(heads, keyRows, precision), precision, () -> {
            List<Part> keys = new ArrayList<>();
            List<Part> values = new ArrayList<>();
            int rows = weight.value().size(0) / heads;
            for (int h = 0; h < heads; h++) {
                keys.add(new Part(weight.value().slice(0, h * rows, h * rows + keyRows), false));
                values.add(new Part(weight.value().slice(0, h * rows + keyRows, (h + 1) * rows), true));
            }
            keys.addAll(values);
            return keys;
        });
    }

    private synchronized List<Panels> of(Dense weight, Object key, Precision precision, Supplier<List<Part>> whole) {
        Map<Object, Form> ofWeight = forms.computeIfAbsent(weight, _ -> new HashMap<>());
        Form form = ofWeight.computeIfAbsent(key, _ -> allocate(whole.get(), precision));
        if (form.version != weight.version()) {
            long before = form.version;
            List<Form> stale = ofWeight.values().stream()
                    .filter(other -> other == form
                            || (other.precision == precision
                                    && other.version != weight.version()
                                    && other.used >= before))
                    .toList();
            pack(stale, precision);
            stale.forEach(other -> other.version = weight.version());
        }
        form.used = weight.version();
        return form.panels;
    }

    /// Packs what several forms have of an expert one after the other, while it is in the cache.
    private void pack(List<Form> stale, Precision precision) {
        int most = stale.stream().mapToInt(form -> form.parts.size()).max().orElse(0);
        List<Gemm.Right> operands = new ArrayList<>();
        for (int i = 0; i < most; i++) {
            for (Form form : stale) {
                if (i < form.parts.size()) {
                    Part part = form.parts.get(i);
                    operands.add(new Gemm.Right(part.matrix, part.transposed, p -> p, form.panels.get(i)));
                }
            }
        }
        gemm.pack(operands, precision);
    }

    private Form allocate(List<Part> parts, Precision precision) {
        long bytes = 0;
        for (Part part : parts) {
            bytes += bytes(part, precision);
        }
        MemorySegment memory = gemm.programs().device().scratch(Arena.ofAuto(), Math.max(1, bytes));
        Form form = new Form(precision, parts);
        long at = 0;
        for (Part part : parts) {
            form.panels.add(gemm.panels(memory.asSlice(at), part.n(), part.k(), precision));
            at += bytes(part, precision);
        }
        return form;
    }

    private long bytes(Part part, Precision precision) {
        return (gemm.panelBytes(part.n(), part.k(), precision) + 63) / 64 * 64;
    }
}
