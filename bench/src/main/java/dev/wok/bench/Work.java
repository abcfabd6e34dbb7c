package dev.wok.bench;

/// A row before it is measured: a call, and what it has to do.
///
/// @param flops useful multiplications and additions of a call
/// @param bytes that a call must read or write at least, each once
/// @param unit `GFLOP/s` or `GB/s`: what the figure is
/// @param limit in that unit
/// @param call the kernel
/// @param setup of the kernel
record Work(double flops, double bytes, String unit, Limit limit, Runnable call, Setup setup) {
    static final String GFLOPS = "GFLOP/s";
    static final String GBS = "GB/s";

    Row measure(String name, double seconds) {
        Repeats repeats = Repeats.beside(limit, call, seconds);
        double amount = unit.equals(GBS) ? bytes : flops;
        return Row.of(
                name,
                amount / repeats.nanos(),
                unit,
                limit.text(),
                repeats.limit(),
                bytes > 0 ? flops / bytes : 0,
                setup);
    }
}
