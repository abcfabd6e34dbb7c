package dev.wok.kernel.ptx;

import dev.wok.device.Gpu;
import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.Ptx;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Target;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/// The kernels of one GPU, each written and assembled when it is first asked for; and memory for what they leave to
/// each
/// other.
final class Programs {
    private final Gpu gpu;
    private final Target target;
    private final ConcurrentHashMap<Object, PtxFunction> functions = new ConcurrentHashMap<>();
    private final ConcurrentHashMap<String, Tensor> scratch = new ConcurrentHashMap<>();

    Programs(Gpu gpu, Target target) {
        this.gpu = gpu;
        this.target = target;
    }

    Gpu gpu() {
        return gpu;
    }

    Target target() {
        return target;
    }

    /// @param key equal for equal code: a record of everything that the code depends on beside the target
    /// @param code writes the kernel
    PtxFunction get(Object key, String name, Consumer<PtxKernel> code) {
        return functions.computeIfAbsent(
                key, _ -> gpu.load(text(target, name, code)).function(name));
    }

    /// @return a module of one kernel
    static String text(Target target, String name, Consumer<PtxKernel> code) {
        Ptx module = Ptx.module(target);
        code.accept(module.kernel(name));
        return module.text();
    }

    /// Memory that a kernel uses between its launches, made when it is first asked for and made anew where it is too
    /// small. Whoever asks uses it in the order of one stream.
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
