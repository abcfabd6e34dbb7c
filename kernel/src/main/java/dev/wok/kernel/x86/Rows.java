package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.R11;
import static dev.wok.emit.x86.Reg.R8;
import static dev.wok.emit.x86.Reg.R9;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RCX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.Program;
import dev.wok.emit.x86.Mem;
import dev.wok.emit.x86.X86;

/// Programs over rows of floats that several operations share.
final class Rows {
    private record Add(boolean past) {}

    private record Sum(boolean accumulate) {}

    private Rows() {}

    /// `c[i] = a[i] + b[i]`: called with the addresses of a, b, c and the number of elements.
    ///
    /// @param past whether to store past the caches
    static Program add(Programs programs, boolean past) {
        return programs.get(new Add(past), lanes -> writeAdd(lanes, past));
    }

    private static void writeAdd(Lanes lanes, boolean past) {
        lanes.each(RAX, RCX, R10, 4, copy -> {
            lanes.load(lanes.v(copy), lanes.at(RDI, RAX, copy));
            lanes.load(lanes.v(4 + copy), lanes.at(RSI, RAX, copy));
            lanes.add(lanes.v(copy), lanes.v(copy), lanes.v(4 + copy));
            lanes.store(lanes.at(RDX, RAX, copy), lanes.v(copy), past);
        });
        lanes.end();
    }

    /// `to[i] (+)= sum_r from[r * stride + i]`, the rows in their order: called with the address of `from`, the stride
    /// in bytes, the number of rows (at least 1), the address of `to` and the number of columns.
    ///
    /// @param accumulate whether what is there stays in the sum
    static Program sum(Programs programs, boolean accumulate) {
        return programs.get(new Sum(accumulate), lanes -> writeSum(lanes, accumulate));
    }

    private static void writeSum(Lanes lanes, boolean accumulate) {
        X86 x = lanes.x;
        lanes.inGroups(RAX, R8, R10, 4, size -> {
            for (int i = 0; i < size; i++) {
                lanes.zero(lanes.v(i));
            }
            x.lea(R9, Mem.at(RDI, RAX, Float.BYTES, 0));
            x.mov(R11, RDX);
            lanes.repeat(R11, () -> {
                for (int i = 0; i < size; i++) {
                    lanes.load(lanes.v(4 + i), Mem.at(R9, i * lanes.isa().bytes()));
                    lanes.add(lanes.v(i), lanes.v(i), lanes.v(4 + i));
                }
                x.add(R9, RSI);
            });
            for (int i = 0; i < size; i++) {
                if (accumulate) {
                    lanes.load(lanes.v(4 + i), lanes.at(RCX, RAX, i));
                    lanes.add(lanes.v(i), lanes.v(4 + i), lanes.v(i));
                }
                lanes.store(lanes.at(RCX, RAX, i), lanes.v(i));
            }
        });
        lanes.end();
    }
}
