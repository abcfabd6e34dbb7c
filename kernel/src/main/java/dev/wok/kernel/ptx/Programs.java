package dev.wok.kernel.ptx;

import dev.wok.device.Gpu;
import dev.wok.device.Memory;
import dev.wok.device.PtxFunction;
import dev.wok.device.PtxProgram;
import dev.wok.emit.ptx.Ptx;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Target;
import dev.wok.kernel.Explanation;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Function;
import java.util.function.ToDoubleFunction;
import org.jspecify.annotations.Nullable;

/// The kernels of one GPU, each written and assembled when it is first asked for; and memory for what
/// they leave to each other.
class Programs {
    private final Gpu gpu;
    private final Target target;
    private final Search search;
    private final DenseForms forms = new DenseForms(this);
    private final ConcurrentHashMap<Object, PtxFunction> functions = new ConcurrentHashMap<>();
    private final ConcurrentHashMap<String, Tensor> scratch = new ConcurrentHashMap<>();
    private final Map<Object, String> reasons = new ConcurrentHashMap<>();
    private final List<Explanation> explanations = Collections.synchronizedList(new ArrayList<>());

    Programs(Gpu gpu, Target target) {
        this.gpu = gpu;
        this.target = target;
        search = Search.on(gpu);
    }

    Gpu gpu() {
        return gpu;
    }

    Target target() {
        return target;
    }

    DenseForms forms() {
        return forms;
    }

    /// @param key equal for equal code: a record of everything that the code depends on beside the
    ///     target
    /// @param code writes the kernel
    PtxFunction get(Object key, String name, Consumer<PtxKernel> code) {
        return functions.computeIfAbsent(key, _ -> {
            String text = text(target, name, code);
            PtxProgram program = load(text);
            explanations.add(new Explanation(
                    name, key.toString(), reasons.getOrDefault(key, "follows from the sizes"), text, program.log()));
            return program.function(name);
        });
    }

    /// @return a module, assembled
    PtxProgram load(String text) {
        return gpu.load(text);
    }

    /// Chooses among configurations, see [Search#choose].
    ///
    /// @param candidates keys of [#get], or what keys are made of
    /// @param trials is given memory for as long as it measures
    <C> C choose(
            String description,
            List<? extends C> candidates,
            ToDoubleFunction<? super C> cost,
            Function<Memory, Consumer<C>> trials) {
        List<Memory> taken = new ArrayList<>();
        try {
            Search.Choice<C> choice = search.choose(description, candidates, cost, () -> {
                taken.add(gpu.memory());
                return trials.apply(taken.getFirst());
            });
            reasons.put(choice.configuration(), "for %s: %s".formatted(description, choice.reason()));
            return choice.configuration();
        } finally {
            taken.forEach(Memory::close);
        }
    }

    /// @return memory laid out like a result, for trials whose results nobody needs
    static Tensor alike(Memory memory, Tensor result) {
        return result.over(memory.tensor(DType.U8, result.extent()).memory());
    }

    /// @return what was written so far, in its order
    List<Explanation> explanations() {
        return List.copyOf(explanations);
    }

    /// @return a module of one kernel
    static String text(Target target, String name, Consumer<PtxKernel> code) {
        Ptx module = Ptx.module(target);
        code.accept(module.kernel(name));
        return module.text();
    }

    /// Memory that a kernel uses between its launches, made when it is first asked for and made anew
    /// where it is too small. Whoever asks uses it in the order of one stream.
    ///
    /// @return a tensor of at least so many elements
    Tensor scratch(String name, DType dtype, long elements) {
        return scratch.compute(
                name,
                (_, before) -> fits(before, elements)
                        ? before
                        : gpu.memory().tensor(dtype, Math.max(elements, before == null ? 0 : 2 * before.elements())));
    }

    private static boolean fits(@Nullable Tensor before, long elements) {
        return before != null && before.elements() >= elements;
    }
}
