package dev.wok.kernel.x86.emulated;

/// One decoded instruction.
@FunctionalInterface
interface Step {
    void run(Core core);
}
