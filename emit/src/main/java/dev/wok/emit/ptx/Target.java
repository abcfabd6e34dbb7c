package dev.wok.emit.ptx;

import java.util.Locale;

/// The processors that a module is for. One without a letter runs on every later one; `a` means
/// that one alone, with the instructions that only it has.
public enum Target {
    SM_80(80, 70),
    SM_86(86, 71),
    SM_89(89, 78),
    SM_90(90, 78),
    SM_90A(90, 80),
    SM_100(100, 86),
    SM_100A(100, 86),
    SM_120(120, 87),
    SM_120A(120, 87);

    final int number;

    /// The first version of PTX that knows it, ten times.
    final int version;

    Target(int number, int version) {
        this.number = number;
        this.version = version;
    }

    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
