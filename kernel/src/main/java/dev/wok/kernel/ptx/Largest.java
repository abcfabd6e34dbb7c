package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;

/// Takes the largest numbers of a warp's row one after another, of equal ones that of the lower index.
/// A number is taken as a key: an unsigned one in the order of the numbers. NaN is below all of them; 0
/// is none.
///
/// @param keys of this lane's numbers, see [WarpRow]; what was taken becomes 0
record Largest(WarpRow row, Reg[] keys) {
    private static final int SIGN = 0x8000_0000;
    private static final int KEY_OF_NAN = 1;
    private static final int NOBODY = -1;
    static final int FULL_WARP = -1;

    /// @param values of this lane; those behind the row's end are not looked at
    static Largest of(PtxKernel k, WarpRow row, Reg... values) {
        Reg[] keys = k.regs(Type.U32, "key", values.length);
        k.mov(keys[keys.length - 1], 0);
        row.each(k, j -> key(k, keys[j], values[j]));
        return new Largest(row, keys);
    }

    static void key(PtxKernel k, Reg key, Reg value) {
        Reg positive = k.reg(Type.F32, "positive_zero");
        Reg sign = k.reg(Type.S32, "sign");
        k.add(positive, value, 0f);
        k.op("mov.b32", sign, positive);
        k.op("mov.b32", key, positive);
        k.shr(sign, sign, 31);
        k.or(sign, sign, SIGN);
        k.xor(key, key, sign);
        k.onlyIf(k.compare(Compare.NAN, value, value), () -> k.mov(key, KEY_OF_NAN));
    }

    /// @return the number of a key, in a new register
    static Reg number(PtxKernel k, Reg key) {
        Reg number = k.reg(Type.F32, "number");
        Reg sign = k.reg(Type.S32, "sign");
        k.op("mov.b32", sign, key);
        k.shr(sign, sign, 31);
        k.not(sign, sign);
        k.or(sign, sign, SIGN);
        k.xor(sign, sign, key);
        k.op("mov.b32", number, sign);
        return number;
    }

    /// Takes a lane's number.
    interface Taken {
        /// @param j which of the lane's numbers
        /// @param isTaken whether it is the one; may not be written
        void at(int j, Reg isTaken);
    }

    /// Takes the largest that is left.
    ///
    /// @param then writes what is to happen to it
    /// @return its index, in a new register, the same in all lanes
    Reg next(PtxKernel k, Taken then) {
        Reg largest = k.reg(Type.U32, "largest", keys[0]);
        for (int j = 1; j < keys.length; j++) {
            k.max(largest, largest, keys[j]);
        }
        k.op("redux.sync.max.u32", largest, largest, FULL_WARP);
        Reg index = k.reg(Type.U32, "taken", NOBODY);
        for (int j = keys.length - 1; j >= 0; j--) {
            Reg own = row.index(k, j);
            k.onlyIf(k.compare(Compare.EQ, keys[j], largest), () -> k.mov(index, own));
        }
        k.op("redux.sync.min.u32", index, index, FULL_WARP);
        for (int j = 0; j < keys.length; j++) {
            Reg key = keys[j];
            Reg isTaken = k.compare(Compare.EQ, index, row.index(k, j));
            k.onlyIf(isTaken, () -> k.mov(key, 0));
            then.at(j, isTaken);
        }
        return index;
    }

    /// The largest key within a part of the row, and the largest of the others there.
    ///
    /// @param from the part's first index
    /// @param to behind its last
    /// @return new registers, the same in all lanes
    Reg[] bestTwo(PtxKernel k, int from, int to) {
        Reg first = k.reg(Type.U32, "first", 0);
        Reg second = k.reg(Type.U32, "second", 0);
        Reg less = k.reg(Type.U32, "less");
        for (int j = from / Sums.LANES; j * Sums.LANES < to; j++) {
            Reg key = k.reg(Type.U32, "in_part", keys[j]);
            if (j * Sums.LANES < from) {
                k.onlyIf(k.compare(Compare.LT, row.lane(), from - j * Sums.LANES), () -> k.mov(key, 0));
            }
            if ((j + 1) * Sums.LANES > to) {
                k.onlyIf(k.compare(Compare.GE, row.lane(), to - j * Sums.LANES), () -> k.mov(key, 0));
            }
            k.min(less, first, key);
            k.max(second, second, less);
            k.max(first, first, key);
        }
        Reg best = k.reg(Type.U32, "best");
        Reg next = k.reg(Type.U32, "next_best");
        k.op("redux.sync.max.u32", best, first, FULL_WARP);
        Reg isBest = k.compare(Compare.EQ, first, best);
        Reg who = k.reg(Type.U32, "who");
        Reg before = k.reg(Type.U32, "before", Special.LANEMASK_LT);
        k.op("vote.sync.ballot.b32", who, isBest, FULL_WARP);
        k.and(before, before, who);
        k.setp(Compare.EQ, isBest, before, 0);
        Reg mine = k.reg(Type.U32, "mine", Special.LANEMASK_EQ);
        k.and(mine, mine, who);
        Reg isHere = k.compare(Compare.NE, mine, 0);
        k.op("and.pred", isBest, isBest, isHere);
        k.onlyIf(isBest, () -> k.mov(first, second));
        k.op("redux.sync.max.u32", next, first, FULL_WARP);
        return new Reg[] {best, next};
    }
}
