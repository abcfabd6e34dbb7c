package dev.wok.kernel.x86.emulated;

/// A function of each 64-bit lane.
final class EachLong implements Body {
    @FunctionalInterface
    interface Function {
        /// @param w the lane of the result before
        long of(long w, long a, long b);
    }

    private final Function function;

    EachLong(Function function) {
        this.function = function;
    }

    @Override
    public void run(int[] v, int to, int was, int a, int b, int bytes, int immediate) {
        for (int i = 0; i < bytes >> 3; i++) {
            Pieces.put64(v, to, i, function.of(Pieces.get64(v, was, i), Pieces.get64(v, a, i), Pieces.get64(v, b, i)));
        }
    }

    @Override
    public boolean isInPlace() {
        return true;
    }
}
