package dev.wok.device;

/// Assembled PTX on a GPU. Closing it is optional; closing it while a kernel of it runs is the caller's
/// mistake.
public interface PtxProgram extends AutoCloseable {
    /// Where a variable of a program lies.
    ///
    /// @param address on the GPU
    record Variable(long address, long bytes) {}

    /// @param name of an `.entry`
    /// @throws IllegalArgumentException where there is none of this name, naming those that there are
    PtxFunction function(String name);

    /// @param name of a `.global` or `.const` variable that is visible outside
    /// @throws IllegalArgumentException where there is none of this name
    Variable variable(String name);

    /// @return what the assembler said: the registers, the shared memory and the spills of each
    ///     function. Empty where the driver kept the result of an earlier run and did not assemble
    String log();

    @Override
    void close();
}
