package dev.wok.kernel.x86;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Kernels;
import java.util.ArrayList;
import java.util.List;

/// The x86 kernels under test: those of every set of instructions that this machine has.
public final class X86Subjects {
    private X86Subjects() {}

    /// @return for each set of instructions, its kernels on one thread, on two, and so on
    public static List<List<Kernels>> upTo(int threads) {
        List<List<Kernels>> subjects = new ArrayList<>();
        if (Cpu.isX86()) {
            for (Isa isa : Cpu.ask(Device.host(1)).isas()) {
                List<Kernels> kernels = new ArrayList<>();
                for (int count = 1; count <= threads; count++) {
                    HostDevice host = Device.host(count);
                    kernels.add(X86Kernels.on(host, isa));
                }
                subjects.add(kernels);
            }
        }
        return subjects;
    }
}
