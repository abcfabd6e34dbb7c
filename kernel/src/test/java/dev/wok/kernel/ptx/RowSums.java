package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Compare.EQ;
import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;
import static dev.wok.emit.ptx.Type.F32;
import static dev.wok.emit.ptx.Type.U32;
import static dev.wok.emit.ptx.Type.U64;

import dev.wok.emit.ptx.Ptx;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Target;

/// The kernel that `docs/concepts/ptx.md` tells of. What stands between the marks is what it shows.
final class RowSums {
    private RowSums() {}

    static String text() {
        Ptx module = Ptx.module(Target.SM_80);
        write(module.kernel("row_sums").threads(64, 1, 1));
        return module.text();
    }

    // shown
    static void write(PtxKernel k) {
        Reg x = k.param("x", U64);
        Reg sums = k.param("sums", U64);
        Reg n = k.param("n", U32);
        Symbol parts = k.shared("parts", F32, 2, 4);
        Reg row = k.reg(U32, "row", Special.CTAID_X);
        Reg thread = k.reg(U32, "thread", Special.TID_X);
        Reg begin = k.reg(U64, "begin");
        Reg at = k.reg(U64, "at");
        k.mul(row, row, n);
        k.madWide(begin, row, 4, x);

        k.comment("each thread adds every 64th number");
        Reg sum = k.reg(F32, "sum", 0f);
        Reg value = k.reg(F32, "value");
        k.loop("i", thread, n, 64, i -> {
            k.madWide(at, i, 4, begin);
            k.ld(GLOBAL, value, at);
            k.add(sum, sum, value);
        });

        k.comment("each warp of 32 threads adds what its lanes have");
        for (int lanes = 16; lanes > 0; lanes /= 2) {
            k.shflBfly(value, sum, lanes);
            k.add(sum, sum, value);
        }

        k.comment("the first lane of each warp leaves it in shared memory");
        Reg lane = k.reg(U32, "lane");
        Reg part = k.reg(U32, "part");
        k.and(lane, thread, 31);
        k.shr(part, thread, 5);
        Reg place = k.reg(U32, "place");
        k.mov(place, parts);
        k.mad(place, part, 4, place);
        k.when(k.compare(EQ, lane, 0), () -> k.st(SHARED, place, sum));
        k.bar();

        k.comment("the first thread adds the two");
        k.when(k.compare(EQ, thread, 0), () -> {
            k.ld(SHARED, sum, parts.at(0));
            k.ld(SHARED, value, parts.at(4));
            k.add(sum, sum, value);
            k.mov(row, Special.CTAID_X);
            k.madWide(at, row, 4, sums);
            k.st(GLOBAL, at, sum);
        });
    }
    // shown
}
