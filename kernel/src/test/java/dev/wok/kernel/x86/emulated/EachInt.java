package dev.wok.kernel.x86.emulated;

import org.jspecify.annotations.Nullable;

/// A function of each 32-bit lane: as a body, or with its operands as a whole step.
final class EachInt implements Lanewise, Step {
    @FunctionalInterface
    interface Function {
        /// @param w the lane of the result before
        int of(int w, int a, int b, int immediate);
    }

    private final Function function;
    private final Operands operands;

    EachInt(Function function, Operands operands) {
        this.function = function;
        this.operands = operands;
    }

    @Override
    public void run(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        for (int i = 0; i < bytes >> 2; i++) {
            v[to + i] = function.of(v[was + i], v[a + i], v[b + i], immediate);
        }
    }

    @Override
    public Step step(Operands of) {
        return new EachInt(function, of);
    }

    @Override
    public void run(Core core) {
        int[] v = core.v;
        int to = operands.to();
        int was = operands.was();
        int a = operands.a();
        int lanes = operands.lanes();
        int immediate = operands.immediate();
        @Nullable Place place = operands.place();
        if (place == null) {
            int b = operands.b();
            for (int i = 0; i < lanes; i++) {
                v[to + i] = function.of(v[was + i], v[a + i], v[b + i], immediate);
            }
        } else {
            long address = place.address(core);
            int stride = operands.stride();
            for (int i = 0; i < lanes; i++) {
                int value = Core.MEMORY.get(Core.INT, address + (long) stride * i);
                v[to + i] = function.of(v[was + i], v[a + i], value, immediate);
            }
        }
        for (int i = lanes; i < Core.WIDTH; i++) {
            v[to + i] = 0;
        }
    }
}
