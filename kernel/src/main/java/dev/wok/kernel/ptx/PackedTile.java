package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.Operand;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Packed.Element;
import dev.wok.kernel.ptx.PackedShape.Entering;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// Products with a [Packed] weight by `mma.sync`: a panel's sixteen rows of the weight are the rows of
/// the tensor cores' tile, eight rows of the left operand its columns. The weight goes from memory into
/// fragments without a stop: lane `4 i + t` reads rows `2 i` and `2 i + 1` of steps `t`, `t + 4`, ..,
/// and its neighbours the places next to them.
///
/// Every tile sums an element in the same order: `k` along a group, from the first to the last; then
/// each group's sum times its scale is added to those of the groups before.
///
/// @param panels of a warp
/// @param tiles of eight rows of the left operand, of a warp
/// @param isSplit whether the warps of a block share a panel and its groups, for few rows; else each
///     has its own
record PackedTile(PackedShape shape, int panels, int tiles, boolean isSplit) {
    private static final int WARPS = 4;
    private static final int THREADS = WARPS * Sums.LANES;

    /// Columns of the tensor cores' tile.
    static final int COLUMNS = 8;

    static final int FRAGMENT = 4;

    /// Rows up to here share a reading of the weight by split groups.
    private static final int FEW_ROWS = 16;

    private static final int MOST_TILES = 65535;

    /// Elements that a warp of a split panel takes between two barriers.
    private static final int SPLIT_DEPTH = 256;

    /// Blocks of a multiprocessor that there are registers for.
    private static final int SPLIT_BLOCKS = 4;

    private static final int WHOLE_BLOCKS = 2;

    /// Bytes of a panel that a warp of a split one reads ahead.
    private static final int READ_AHEAD = 2048;

    /// Half a panel's unit is this far from the other half, four steps.
    static final int FOUR_STEPS = 4 * Packed.STEP_BYTES;

    /// Up to here [PackedBlock] would have more rows than there are.
    static final int MOST_ROWS = 64;

    /// @param rows that share a weight, about
    static PackedTile choose(PackedShape shape, int rows) {
        return rows <= FEW_ROWS ? new PackedTile(shape, 1, 1, true) : new PackedTile(shape, 2, 4, false);
    }

    /// @param rows that there are blocks for; they take further ones in turn
    Launch launch(int rows, int n, int experts) {
        int perBlock = isSplit ? 1 : WARPS * panels;
        return Launch.of(1, THREADS)
                .withGrid(
                        Math.ceilDiv(Math.ceilDiv(n, Packed.ROWS), perBlock),
                        experts,
                        Math.min(Math.ceilDiv(rows, COLUMNS * tiles), MOST_TILES));
    }

    /// Groups of a warp between two barriers.
    private int depth() {
        return Integer.highestOneBit(Math.max(1, SPLIT_DEPTH / shape.group()));
    }

    private boolean isWhole() {
        return shape.entering() == Entering.INT8;
    }

    /// What a warp multiplies: for each tile of rows where they and their heads begin, for each panel
    /// where its values and scales do.
    ///
    /// @param i which two rows of a panel are this lane's
    /// @param t which steps are
    private record Work(Reg[] rows, Reg[][] heads, Reg[] values, Reg[] scales, Reg i, Reg t) {}

    void write(PtxKernel k) {
        k.maxThreads(THREADS).minBlocks(isSplit ? SPLIT_BLOCKS : WHOLE_BLOCKS);
        PackedRows rows = PackedRows.of(k, shape);
        Symbol parts = isSplit ? k.shared("parts", Type.F32, WARPS * depth() * Sums.LANES * FRAGMENT, 16) : null;
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        Reg i = k.reg(Type.U32, "i");
        Reg t = k.reg(Type.U32, "t");
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(warp, tid, 5);
        k.shr(i, lane, 2);
        k.and(t, lane, 3);
        Reg firstPanel = k.reg(Type.U32, "first_panel", Special.CTAID_X);
        if (!isSplit) {
            k.mad(firstPanel, firstPanel, WARPS, warp);
            k.mul(firstPanel, firstPanel, panels);
        }
        Reg[] values = new Reg[panels];
        Reg[] scales = new Reg[panels];
        Reg inPanel = k.reg(Type.U32, "in_panel");
        k.mul(inPanel, t, Packed.STEP_BYTES);
        k.mad(inPanel, i, 2 * Integer.BYTES, inPanel);
        for (int p = 0; p < panels; p++) {
            Reg panel = k.reg(Type.U32, "panel");
            k.add(panel, firstPanel, p);
            values[p] = rows.valuesAt(k, panel);
            k.madWide(values[p], inPanel, 1, values[p]);
            scales[p] = rows.scalesAt(k, panel);
            k.madWide(scales[p], i, 2 * Short.BYTES, scales[p]);
        }
        rows.eachTile(k, COLUMNS * tiles, tile -> {
            Reg[] from = new Reg[tiles];
            Reg[][] heads = new Reg[tiles][2];
            Reg[][] zeros = new Reg[tiles][2];
            for (int j = 0; j < tiles; j++) {
                Reg row = k.reg(Type.U32, "row");
                k.add(row, tile, j * COLUMNS);
                k.add(row, row, i);
                Reg source = rows.source(k, row);
                from[j] = rows.sourceAt(k, source);
                k.madWide(from[j], t, COLUMNS * shape.entering().bytes(), from[j]);
                for (int c = 0; c < 2; c++) {
                    k.comment("a lane's sums are of rows 2 t and 2 t + 1");
                    Reg owner = k.reg(Type.U32, "owner");
                    Reg other = k.reg(Type.U32, "other_source");
                    k.mul(owner, t, 8);
                    k.add(owner, owner, 4 * c);
                    k.shflIdx(other, source, owner);
                    zeros[j][c] = rows.zero(k, other);
                    if (isWhole()) {
                        heads[j][c] = rows.headsAt(k, other);
                    }
                }
            }
            Work work = new Work(from, heads, values, scales, i, t);
            if (parts != null) {
                split(k, rows, work, parts, tid, lane, warp, firstPanel, tile);
            } else {
                whole(k, rows, work, zeros, firstPanel, tile);
            }
        });
    }

    // ---------------------------------------------------------------------------------------------- a warp's own
    // panels

    private void whole(PtxKernel k, PackedRows rows, Work work, Reg[][] zeros, Reg firstPanel, Reg tile) {
        Reg[] totals = k.regs(Type.F32, "total", panels * tiles * FRAGMENT);
        for (int s = 0; s < totals.length; s++) {
            k.mov(totals[s], zeros[s / FRAGMENT % tiles][s % 2]);
        }
        k.loop("group", 0, rows.groups(), 1, group -> {
            Reg[] sums = sums(k, rows, work, group);
            int count = tiles * FRAGMENT;
            for (int p = 0; p < panels; p++) {
                Reg[] two = scales(k, work.scales[p], group);
                Reg[] own = Arrays.copyOfRange(sums, p * count, (p + 1) * count);
                add(k, own, two, Arrays.copyOfRange(totals, p * count, (p + 1) * count));
            }
        });
        store(k, rows, totals, firstPanel, tile, work.i, work.t);
    }

    /// Adds a group's sums of a panel to the totals.
    ///
    /// @param two the scales of a lane's two rows of the panel; none where the weight has none
    static void add(PtxKernel k, Reg[] sums, Reg[] two, Reg[] totals) {
        for (int s = 0; s < sums.length; s++) {
            if (two.length > 0) {
                k.fma(totals[s], sums[s], two[s / 2 % 2], totals[s]);
            } else {
                k.add(totals[s], totals[s], sums[s]);
            }
        }
    }

    /// Writes a warp's totals.
    void store(PtxKernel k, PackedRows rows, Reg[] totals, Reg firstPanel, Reg firstRow, Reg i, Reg t) {
        Reg row = k.reg(Type.U32, "y_row");
        Reg column = k.reg(Type.U32, "y_column");
        for (int s = 0; s < totals.length; s++) {
            int j = s / FRAGMENT % tiles;
            k.add(column, firstPanel, s / FRAGMENT / tiles);
            k.mul(column, column, Packed.ROWS);
            k.mad(column, i, 2, column);
            k.add(column, column, s / 2 % 2);
            k.add(row, firstRow, j * COLUMNS + s % 2);
            k.mad(row, t, 2, row);
            rows.store(k, row, column, totals[s]);
        }
    }

    /// @return the scales of a lane's two rows of the weight, in new registers; none where it has none
    private Reg[] scales(PtxKernel k, Reg scales, Reg group) {
        if (!shape.element().isScaled()) {
            return new Reg[0];
        }
        Reg pair = k.reg(Type.B32, "scales");
        k.ld(GLOBAL, pair, PackedRows.groupScales(k, scales, group));
        return scales(k, pair);
    }

    /// @return a pair of bf16 as float32, in new registers
    static Reg[] scales(PtxKernel k, Reg pair) {
        Reg half = k.reg(Type.B32, "half");
        Reg[] two = k.regs(Type.F32, "scale", 2);
        k.shl(half, pair, 16);
        k.op("mov.b32", two[0], half);
        k.and(half, pair, 0xFFFF_0000);
        k.op("mov.b32", two[1], half);
        return two;
    }

    // ---------------------------------------------------------------------------------------------- a block's panel

    /// Warps take groups in turn and leave their sums in shared memory, where a thread for each element
    /// adds them up.
    private void split(
            PtxKernel k, PackedRows rows, Work work, Symbol parts, Reg tid, Reg lane, Reg warp, Reg panel, Reg tile) {
        Reg base = k.reg(Type.U32, "parts_at");
        Reg own = k.reg(Type.U32, "own_parts");
        Reg element = k.reg(Type.U32, "element_at");
        k.mov(base, parts);
        k.mad(own, warp, depth() * THREADS * Float.BYTES, base);
        k.mad(own, lane, FRAGMENT * Float.BYTES, own);
        k.mad(element, tid, Float.BYTES, base);
        k.comment("this thread's element: of a fragment of lane tid / 4, the number tid % 4");
        Reg inPanel = k.reg(Type.U32, "row_in_panel");
        Reg inTile = k.reg(Type.U32, "column_in_tile");
        Reg bit = k.reg(Type.U32, "bit");
        k.shr(inPanel, tid, 4);
        k.shr(bit, tid, 1);
        k.and(bit, bit, 1);
        k.mad(inPanel, inPanel, 2, bit);
        k.shr(inTile, tid, 2);
        k.and(inTile, inTile, 3);
        k.and(bit, tid, 1);
        k.mad(inTile, inTile, 2, bit);
        Reg row = k.reg(Type.U32, "y_row");
        k.add(row, tile, inTile);
        Reg scalesAt = rows.scalesAt(k, panel);
        k.madWide(scalesAt, inPanel, Short.BYTES, scalesAt);
        Reg total = rows.zero(k, rows.source(k, row));
        Reg end = k.reg(Type.U32, "round_end");
        k.loop("round", 0, rows.groups(), WARPS * depth(), round -> {
            for (int d = 0; d < depth(); d += groupsAtOnce()) {
                Reg group = k.reg(Type.U32, "group");
                k.mad(group, warp, depth(), round);
                k.add(group, group, d);
                int at = d * THREADS * Float.BYTES;
                if (isGroupReadAhead()) {
                    Reg[][] sums = sums(k, rows, work, group, groupsAtOnce());
                    for (int g = 0; g < sums.length; g++) {
                        k.st(SHARED, own.at(at + (long) g * THREADS * Float.BYTES), vec(sums[g]));
                    }
                } else {
                    k.when(k.compare(Compare.LT, group, rows.groups()), () -> {
                        Reg[] sums = sums(k, rows, work, group);
                        k.st(SHARED, own.at(at), vec(sums));
                    });
                }
            }
            k.bar();
            k.add(end, round, WARPS * depth());
            k.min(end, end, rows.groups());
            Reg at = k.reg(Type.U32, "part_at", element);
            Reg sum = k.reg(Type.F32, "part");
            k.loop("of_round", round, end, 1, group -> {
                k.ld(SHARED, sum, at);
                k.add(at, at, THREADS * Float.BYTES);
                if (shape.element().isScaled()) {
                    Reg scale = k.reg(Type.F32, "scale");
                    Reg raw = k.reg(Type.U32, "raw");
                    k.op(
                            "ld.global.u16",
                            raw,
                            PackedRows.groupScales(k, scalesAt, group).at(0));
                    k.shl(raw, raw, 16);
                    k.op("mov.b32", scale, raw);
                    k.fma(total, sum, scale, total);
                } else {
                    k.add(total, total, sum);
                }
            });
            k.bar();
        });
        Reg column = k.reg(Type.U32, "y_column");
        k.mad(column, panel, Packed.ROWS, inPanel);
        rows.store(k, row, column, total);
    }

    // ---------------------------------------------------------------------------------------------- sums of a group

    /// Sums of a group while they grow.
    ///
    /// @param values four for each tile of rows of each panel
    /// @param factors the scales of a lane's rows of the left operand, where it has some
    private record Group(Reg[] values, Reg[][] factors) {}

    private Group begin(PtxKernel k, Work work, Reg group) {
        Reg[] values = k.regs(isWhole() ? Type.S32 : Type.F32, "sum", panels * tiles * FRAGMENT);
        Reg[][] factors = new Reg[tiles][2];
        for (int j = 0; j < tiles && isWhole(); j++) {
            for (int c = 0; c < 2; c++) {
                Reg at = k.reg(Type.U64, "head_at");
                Reg begin = k.reg(Type.S32, "sums_begin");
                factors[j][c] = k.reg(Type.F32, "factor");
                Reg bits = k.reg(Type.S32, "factor_bits");
                k.madWide(at, group, PackedEntry.HEAD, work.heads[j][c]);
                k.ld(GLOBAL, vec(bits, begin), at);
                k.op("mov.b32", factors[j][c], bits);
                for (int p = 0; p < panels; p++) {
                    int s = (p * tiles + j) * FRAGMENT + c;
                    k.mov(values[s], begin);
                    k.mov(values[s + 2], begin);
                }
            }
        }
        if (!isWhole()) {
            Arrays.stream(values).forEach(value -> k.mov(value, 0f));
        }
        return new Group(values, factors);
    }

    /// @return the group's sums times the scales of the left operand where it has some; not yet those
    ///     of the weight
    private Reg[] end(PtxKernel k, Group group) {
        if (!isWhole()) {
            return group.values;
        }
        Reg[] floats = k.regs(Type.F32, "float_sum", group.values.length);
        for (int s = 0; s < floats.length; s++) {
            k.op("cvt.rn.f32.s32", floats[s], group.values[s]);
            k.mul(floats[s], floats[s], group.factors[s / FRAGMENT % tiles][s % 2]);
        }
        return floats;
    }

    private Reg[] sums(PtxKernel k, PackedRows rows, Work work, Reg group) {
        Group sums = begin(k, work, group);
        Reg begin = k.reg(Type.U32, "first_unit");
        Reg end = k.reg(Type.U32, "last_unit");
        k.mul(begin, group, shape.groupUnits());
        k.add(end, begin, shape.groupUnits());
        k.min(end, end, rows.units());
        int step = Integer.highestOneBit(Math.min(unitsAtOnce(), shape.groupUnits()));
        if (step > 1) {
            Reg whole = k.reg(Type.U32, "whole_units");
            k.sub(whole, end, begin);
            k.and(whole, whole, -step);
            k.add(whole, whole, begin);
            k.loop("units", begin, whole, step, unit -> add(k, read(k, rows, work, unit, step, false), 0, step, sums));
            k.mov(begin, whole);
        }
        k.loop("unit", begin, end, 1, unit -> add(k, read(k, rows, work, unit, 1, false), 0, 1, sums));
        return end(k, sums);
    }

    /// The sums of some groups, all of which are read before the first is multiplied; those behind the
    /// last group are of no use.
    private Reg[][] sums(PtxKernel k, PackedRows rows, Work work, Reg first, int groups) {
        Group[] sums = new Group[groups];
        for (int g = 0; g < groups; g++) {
            Reg group = k.reg(Type.U32, "begun_group");
            Reg last = k.reg(Type.U32, "last_group");
            k.add(group, first, g);
            k.sub(last, rows.groups(), 1);
            k.min(group, group, last);
            sums[g] = begin(k, work, group);
        }
        Reg unit = k.reg(Type.U32, "first_unit");
        k.mul(unit, first, shape.groupUnits());
        Units units = read(k, rows, work, unit, groups * shape.groupUnits(), true);
        Reg[][] ends = new Reg[groups][];
        for (int g = 0; g < groups; g++) {
            add(k, units, g * shape.groupUnits(), shape.groupUnits(), sums[g]);
            ends[g] = end(k, sums[g]);
        }
        return ends;
    }

    /// Units whose reading sets out before the first is multiplied: what hides the way to memory.
    private int unitsAtOnce() {
        return isSplit ? Math.max(1, READ_AHEAD / shape.unitBytes()) : 1;
    }

    private boolean isGroupReadAhead() {
        return shape.groupUnits() <= unitsAtOnce();
    }

    private int groupsAtOnce() {
        return Integer.highestOneBit(Math.clamp(unitsAtOnce() / shape.groupUnits(), 1, depth()));
    }

    /// Units as they were read: for each one those of the tiles of rows, and the words of the panels.
    private record Units(Reg[][][] right, Reg[][][] words) {}

    /// @param isChecked whether units may be behind the last one, and then are zeros
    private Units read(PtxKernel k, PackedRows rows, Work work, Reg first, int count, boolean isChecked) {
        Units units = new Units(new Reg[count][tiles][], new Reg[count][panels][]);
        for (int u = 0; u < count; u++) {
            Reg unit = k.reg(Type.U32, "unit");
            k.add(unit, first, u);
            Reg isUnit = isChecked ? k.compare(Compare.LT, unit, rows.units()) : null;
            for (int p = 0; p < panels; p++) {
                units.words[u][p] = words(k, rows, work, unit, p, isUnit);
            }
            for (int j = 0; j < tiles; j++) {
                Reg at = k.reg(Type.U64, "x_at");
                Reg[] right = k.regs(Type.B32, "x", isWhole() ? 2 : FRAGMENT);
                k.madWide(at, unit, Packed.UNIT * shape.entering().bytes(), work.rows[j]);
                load(k, right, at, isUnit);
                units.right[u][j] = right;
            }
        }
        return units;
    }

    /// @param isThere whether there is something; zeros where not. Null where there is for certain
    private static void load(PtxKernel k, Reg[] to, Operand at, @Nullable Reg isThere) {
        if (isThere == null) {
            k.ld(GLOBAL, vec(to), at);
            return;
        }
        Arrays.stream(to).forEach(word -> k.mov(word, 0));
        k.onlyIf(isThere, () -> k.ld(GLOBAL, vec(to), at));
    }

    /// Adds the products of some units to a group's sums.
    private void add(PtxKernel k, Units units, int from, int count, Group sums) {
        int width = tiles * FRAGMENT;
        for (int u = from; u < from + count; u++) {
            for (int p = 0; p < panels; p++) {
                Reg[] own = Arrays.copyOfRange(sums.values, p * width, (p + 1) * width);
                multiply(k, units.words[u][p], units.right[u], own);
            }
        }
    }

    /// Adds a unit of a panel times one of each tile of rows to their sums.
    void multiply(PtxKernel k, Reg[] words, Reg[][] right, Reg[] sums) {
        if (isWhole()) {
            Reg[] left = bytes(k, words);
            for (int j = 0; j < tiles; j++) {
                k.op(
                        "mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32",
                        vec(sums, FRAGMENT * j, FRAGMENT),
                        vec(left),
                        vec(right[j]),
                        vec(sums, FRAGMENT * j, FRAGMENT));
            }
            return;
        }
        for (int half = 0; half < 2; half++) {
            Reg[] left = pairs(k, words, half);
            for (int j = 0; j < tiles; j++) {
                k.op(
                        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32",
                        vec(sums, FRAGMENT * j, FRAGMENT),
                        vec(left),
                        vec(right[j], 2 * half, 2),
                        vec(sums, FRAGMENT * j, FRAGMENT));
            }
        }
    }

    /// @param isUnit whether the unit is there, null where it is for certain
    /// @return a lane's part of a unit of a panel, in new registers: for each four steps the words of
    ///     two rows
    private Reg[] words(PtxKernel k, PackedRows rows, Work work, Reg unit, int panel, @Nullable Reg isUnit) {
        int loads = shape.unitBytes() / FOUR_STEPS;
        Reg at = k.reg(Type.U64, "w_at");
        Reg[] words = k.regs(Type.B32, "w", 2 * loads);
        k.madWide(at, unit, shape.unitBytes(), work.values[panel]);
        for (int q = 0; q < loads; q++) {
            Reg isThere = isUnit;
            if (shape.isGuarded()) {
                Reg step = k.reg(Type.U32, "step");
                k.mul(step, unit, Packed.UNIT / shape.element().perStep());
                k.add(step, step, work.t);
                k.add(step, step, 4 * q);
                isThere = k.compare(Compare.LT, step, rows.steps());
            }
            Reg[] two = Arrays.copyOfRange(words, 2 * q, 2 * q + 2);
            load(k, two, at.at((long) q * FOUR_STEPS), isThere);
        }
        return words;
    }

    /// @return a unit of whole numbers as unsigned bytes, a fragment of 16 rows and 32 elements
    private Reg[] bytes(PtxKernel k, Reg[] words) {
        if (shape.element() == Element.INT8) {
            return words;
        }
        Reg[] bytes = k.regs(Type.B32, "bytes", FRAGMENT);
        for (int i = 0; i < 2; i++) {
            k.and(bytes[i], words[i], 0x0F0F_0F0F);
            k.shr(bytes[2 + i], words[i], 4);
            k.and(bytes[2 + i], bytes[2 + i], 0x0F0F_0F0F);
        }
        return bytes;
    }

    /// @return half a unit as bf16, a fragment of 16 rows and 16 elements
    private Reg[] pairs(PtxKernel k, Reg[] words, int half) {
        Reg[] pairs = k.regs(Type.BF16X2, "pairs", FRAGMENT);
        for (int i = 0; i < FRAGMENT; i++) {
            Reg word = words[
                    switch (shape.element()) {
                        case F32, BF16 -> FRAGMENT * half + i;
                        case INT8, FP8 -> 2 * half + i % 2;
                        case INT4 -> i % 2;
                    }];
            switch (shape.element()) {
                case F32, BF16 -> k.op("mov.b32", pairs[i], word);
                case FP8 -> PackedValues.fp8Pair(k, pairs[i], word, i / 2);
                case INT8 -> PackedValues.int8Pair(k, pairs[i], word, i / 2);
                case INT4 -> PackedValues.int4Pair(k, pairs[i], word, 2 * half + i / 2);
            }
        }
        return pairs;
    }
}
