package dev.wok.kernel.x86;

import dev.wok.device.HostDevice;
import dev.wok.device.Program;
import dev.wok.emit.x86.X86;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Function;

/// The machine code of one device, each piece written when it is first asked for.
final class Programs {
    private final HostDevice device;
    private final Isa isa;
    private final Function<byte[], Program> loader;
    private final ConcurrentHashMap<Object, Program> programs = new ConcurrentHashMap<>();

    Programs(HostDevice device, Isa isa) {
        this(device, isa, device::load);
    }

    /// @param loader makes finished code callable
    Programs(HostDevice device, Isa isa, Function<byte[], Program> loader) {
        this.device = device;
        this.isa = isa;
        this.loader = loader;
    }

    HostDevice device() {
        return device;
    }

    Isa isa() {
        return isa;
    }

    /// @param key equal for equal code: a record of everything that the code depends on beside the instruction set
    /// @param code writes it, ending in a return; the upper halves of vector registers are cleaned before that
    Program get(Object key, Consumer<Lanes> code) {
        return programs.computeIfAbsent(key, _ -> {
            X86 x = new X86();
            code.accept(new Lanes(x, isa));
            return loader.apply(x.bytes());
        });
    }
}
