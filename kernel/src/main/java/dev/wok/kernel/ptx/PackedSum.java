package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.GLOBAL;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Packed;
import dev.wok.kernel.Packed.Element;
import java.util.Arrays;

/// Products with a [Packed] weight in float32. A block takes a panel and eight rows of the left
/// operand, its warps the groups in turn. Lane `4 s + q` reads rows `4 q` to `4 q + 3` of every eighth
/// step from `s` on, and keeps sums of its own, which are added over the lanes and then over the warps.
///
/// Of elements of four bits a group of 32 has four steps: half a warp takes a group.
record PackedSum(PackedShape shape) {
    private static final int WARPS = 4;
    private static final int THREADS = WARPS * Sums.LANES;

    /// Rows of the left operand of a block.
    private static final int ROWS = 8;

    /// Rows of the weight of a lane.
    private static final int QUAD = 4;

    private static final int MOST_TILES = 65535;

    /// @param rows that there are blocks for; they take further ones in turn
    Launch launch(int rows, int n, int experts) {
        return Launch.of(1, THREADS)
                .withGrid(Math.ceilDiv(n, Packed.ROWS), experts, Math.min(Math.ceilDiv(rows, ROWS), MOST_TILES));
    }

    /// Steps that lanes side by side take at once.
    private int teamSteps() {
        return shape.element() == Element.INT4 ? 4 : 8;
    }

    private int teams() {
        return THREADS / (teamSteps() * QUAD);
    }

    void write(PtxKernel k) {
        k.maxThreads(THREADS).minBlocks(3);
        PackedRows rows = PackedRows.of(k, shape);
        Symbol parts = k.shared("parts", Type.F32, WARPS * ROWS * Packed.ROWS, 16);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        Reg team = k.reg(Type.U32, "team");
        Reg step = k.reg(Type.U32, "team_step");
        Reg quad = k.reg(Type.U32, "quad");
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(warp, tid, 5);
        k.div(team, tid, teamSteps() * QUAD);
        k.shr(step, tid, 2);
        k.and(step, step, teamSteps() - 1);
        k.and(quad, tid, QUAD - 1);
        Reg panel = k.reg(Type.U32, "panel", Special.CTAID_X);
        Reg values = rows.valuesAt(k, panel);
        Reg inPanel = k.reg(Type.U32, "in_panel");
        k.mul(inPanel, step, Packed.STEP_BYTES);
        k.mad(inPanel, quad, QUAD * Integer.BYTES, inPanel);
        k.madWide(values, inPanel, 1, values);
        Reg scales = rows.scalesAt(k, panel);
        k.madWide(scales, quad, QUAD * Short.BYTES, scales);

        rows.eachTile(k, ROWS, tile -> {
            Reg[] from = new Reg[ROWS];
            for (int r = 0; r < ROWS; r++) {
                Reg row = k.reg(Type.U32, "row");
                k.add(row, tile, r);
                from[r] = rows.sourceAt(k, rows.source(k, row));
                k.madWide(from[r], step, shape.element().perStep() * Float.BYTES, from[r]);
            }
            Reg[] totals = k.regs(Type.F32, "total", QUAD * ROWS);
            Arrays.stream(totals).forEach(total -> k.mov(total, 0f));
            k.loop("group", team, rows.groups(), teams(), group -> {
                if (!shape.element().isScaled()) {
                    addGroup(k, rows, values, from, step, group, totals);
                    return;
                }
                Reg[] sums = k.regs(Type.F32, "sum", totals.length);
                Arrays.stream(sums).forEach(sum -> k.mov(sum, 0f));
                addGroup(k, rows, values, from, step, group, sums);
                Reg[] pairs = k.regs(Type.B32, "scales", 2);
                Reg half = k.reg(Type.B32, "half");
                Reg scale = k.reg(Type.F32, "scale");
                k.ld(GLOBAL, vec(pairs), PackedRows.groupScales(k, scales, group));
                for (int w = 0; w < QUAD; w++) {
                    if (w % 2 == 0) {
                        k.shl(half, pairs[w / 2], 16);
                    } else {
                        k.and(half, pairs[w / 2], 0xFFFF_0000);
                    }
                    k.op("mov.b32", scale, half);
                    for (int r = 0; r < ROWS; r++) {
                        k.fma(totals[w * ROWS + r], sums[w * ROWS + r], scale, totals[w * ROWS + r]);
                    }
                }
            });
            finish(k, rows, totals, parts, tid, lane, warp, quad, panel, tile);
        });
    }

    /// Adds a lane's products of a group to sums of each of its rows of the weight and each row of the
    /// left operand.
    private void addGroup(PtxKernel k, PackedRows rows, Reg values, Reg[] from, Reg step, Reg group, Reg[] sums) {
        int per = shape.element().perStep();
        int unitSteps = Packed.UNIT / per;
        Reg begin = k.reg(Type.U32, "first_unit");
        Reg end = k.reg(Type.U32, "last_unit");
        Reg valuesAt = k.reg(Type.U64, "w_at");
        Reg xAt = k.reg(Type.U64, "x_at");
        k.mul(begin, group, shape.groupUnits());
        k.add(end, begin, shape.groupUnits());
        k.min(end, end, rows.units());
        k.loop("unit", begin, end, 1, unit -> {
            for (int first = 0; first < unitSteps; first += teamSteps()) {
                Reg[] words = k.regs(Type.B32, "w", QUAD);
                k.madWide(valuesAt, unit, shape.unitBytes(), values);
                long at = (long) first * Packed.STEP_BYTES;
                Runnable read = () -> k.ld(GLOBAL, vec(words), valuesAt.at(at));
                if (shape.isGuarded()) {
                    Reg own = k.reg(Type.U32, "step");
                    k.mul(own, unit, unitSteps);
                    k.add(own, own, step);
                    k.add(own, own, first);
                    Arrays.stream(words).forEach(word -> k.mov(word, 0));
                    k.when(k.compare(Compare.LT, own, rows.steps()), read);
                } else {
                    read.run();
                }
                Reg[] w = k.regs(Type.F32, "value", QUAD * per);
                for (int i = 0; i < w.length; i++) {
                    PackedValues.single(k, shape.element(), w[i], words[i / per], i % per);
                }
                for (int r = 0; r < ROWS; r++) {
                    k.madWide(xAt, unit, Packed.UNIT * Float.BYTES, from[r]);
                    Reg[] x = load(k, xAt, first * per, per);
                    for (int i = 0; i < w.length; i++) {
                        Reg sum = sums[i / per * ROWS + r];
                        k.fma(sum, w[i], x[i % per], sum);
                    }
                }
            }
        });
    }

    /// @return neighbours of a row, in new registers
    private static Reg[] load(PtxKernel k, Reg at, int first, int count) {
        Reg[] x = k.regs(Type.F32, "x", count);
        for (int i = 0; i < count; i += QUAD) {
            int width = Math.min(QUAD, count);
            k.ld(GLOBAL, width == 1 ? x[i] : vec(x, i, width), at.at((long) (first + i) * Float.BYTES));
        }
        return x;
    }

    private void finish(
            PtxKernel k,
            PackedRows rows,
            Reg[] totals,
            Symbol parts,
            Reg tid,
            Reg lane,
            Reg warp,
            Reg quad,
            Reg panel,
            Reg tile) {
        Reg other = k.reg(Type.F32, "other");
        for (Reg total : totals) {
            for (int lanes = QUAD; lanes < Sums.LANES; lanes *= 2) {
                k.shflBfly(other, total, lanes);
                k.add(total, total, other);
            }
        }
        k.comment("parts[warp][row][row of the weight]");
        Reg base = k.reg(Type.U32, "parts_at");
        Reg own = k.reg(Type.U32, "own_parts");
        k.mov(base, parts);
        k.mad(own, warp, ROWS * Packed.ROWS * Float.BYTES, base);
        k.mad(own, quad, QUAD * Float.BYTES, own);
        k.when(k.compare(Compare.LT, lane, QUAD), () -> {
            for (int r = 0; r < ROWS; r++) {
                k.st(
                        SHARED,
                        own.at((long) r * Packed.ROWS * Float.BYTES),
                        vec(totals[r], totals[ROWS + r], totals[2 * ROWS + r], totals[3 * ROWS + r]));
            }
        });
        k.bar();
        Reg row = k.reg(Type.U32, "y_row");
        Reg column = k.reg(Type.U32, "y_column");
        k.div(row, tid, Packed.ROWS);
        k.add(row, row, tile);
        k.and(column, tid, Packed.ROWS - 1);
        k.mad(column, panel, Packed.ROWS, column);
        Reg sum = rows.zero(k, rows.source(k, row));
        Reg at = k.reg(Type.U32, "element_at");
        k.mad(at, tid, Float.BYTES, base);
        for (int i = 0; i < WARPS; i++) {
            k.ld(SHARED, other, at.at((long) i * ROWS * Packed.ROWS * Float.BYTES));
            k.add(sum, sum, other);
        }
        rows.store(k, row, column, sum);
        k.bar();
    }
}
