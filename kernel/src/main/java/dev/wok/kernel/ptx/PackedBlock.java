package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Ptx.vec;
import static dev.wok.emit.ptx.Space.SHARED;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Symbol;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Packed;
import dev.wok.kernel.ptx.PackedShape.Entering;
import dev.wok.kernel.ptx.Product.Ring;
import java.util.Arrays;

/// Products of many rows with a [Packed] weight by `mma.sync`. Threads copy the next units' panels and
/// rows into shared memory as they lie (`cp.async`), while each warp widens two panels and multiplies
/// them with 64 rows, a [PackedTile].
///
/// A step of a panel is 64 bytes in four pieces of 16; piece `q` of step `s` lies where `q ^ 2 (s / 2 %
/// 2)` would, so that what sixteen lanes read of four steps lies in different banks. The last unit of a
/// group brings the group's scales.
record PackedBlock(PackedShape shape) {
    private static final int STAGES = 4;
    private static final int WARPS_ALONG_PANELS = 4;
    private static final int WARPS_ALONG_ROWS = 2;
    private static final int THREADS = WARPS_ALONG_PANELS * WARPS_ALONG_ROWS * Sums.LANES;

    /// Panels and tiles of eight rows of a warp.
    private static final int WARP_PANELS = 2;

    private static final int WARP_TILES = 8;
    private static final int PANELS = WARPS_ALONG_PANELS * WARP_PANELS;
    private static final int ROWS = WARPS_ALONG_ROWS * WARP_TILES * PackedTile.COLUMNS;
    private static final int MOST_TILES = 65535;
    private static final int PIECE = 16;
    private static final int STEP_PIECES = Packed.STEP_BYTES / PIECE;
    private static final int PANEL_SCALES = Packed.ROWS * Short.BYTES;

    /// @param rows that there are blocks for; they take further ones in turn
    Launch launch(int rows, int n, int experts) {
        return Launch.of(1, THREADS)
                .withGrid(
                        Math.ceilDiv(Math.ceilDiv(n, Packed.ROWS), PANELS),
                        experts,
                        Math.min(Math.ceilDiv(rows, ROWS), MOST_TILES))
                .withShared(STAGES * stageBytes());
    }

    private PackedTile warpTile() {
        return new PackedTile(shape, WARP_PANELS, WARP_TILES, false);
    }

    private boolean isWhole() {
        return shape.entering() == Entering.INT8;
    }

    private int rowBytes() {
        return Packed.UNIT * shape.entering().bytes();
    }

    // A stage: rows, panels, heads of the rows, scales of the panels.

    private int panelsAt() {
        return ROWS * rowBytes();
    }

    private int headsAt() {
        return panelsAt() + PANELS * shape.unitBytes();
    }

    private int scalesAt() {
        return headsAt() + (isWhole() ? ROWS * PackedEntry.HEAD : 0);
    }

    private int stageBytes() {
        return scalesAt() + (shape.element().isScaled() ? PANELS * PANEL_SCALES : 0);
    }

    /// What a thread copies for each unit.
    ///
    /// @param from where the first unit's begins
    /// @param to where it goes in a stage
    /// @param step of a unit, of a panel's piece
    private record Piece(Reg from, Reg to, Reg step) {}

    /// All that a thread copies, and where the rows' heads and the panels' scales begin of which it
    /// copies one.
    private record Copies(Piece[] rows, Piece[] panels, Reg head, Reg scales) {}

    void write(PtxKernel k) {
        k.maxThreads(THREADS).minBlocks(1);
        PackedRows rows = PackedRows.of(k, shape);
        Symbol memory = k.dynamicShared("memory", 128);
        Reg base = k.reg(Type.U32, "base");
        k.mov(base, memory);
        Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
        Reg lane = k.reg(Type.U32, "lane");
        Reg warp = k.reg(Type.U32, "warp");
        Reg i = k.reg(Type.U32, "i");
        Reg t = k.reg(Type.U32, "t");
        Reg warpPanel = k.reg(Type.U32, "warp_panel");
        Reg warpRow = k.reg(Type.U32, "warp_row");
        k.and(lane, tid, Sums.LANES - 1);
        k.shr(warp, tid, 5);
        k.shr(i, lane, 2);
        k.and(t, lane, 3);
        k.rem(warpPanel, warp, WARPS_ALONG_PANELS);
        k.mul(warpPanel, warpPanel, WARP_PANELS);
        k.div(warpRow, warp, WARPS_ALONG_PANELS);
        k.mul(warpRow, warpRow, WARP_TILES * PackedTile.COLUMNS);
        Reg firstPanel = k.reg(Type.U32, "first_panel", Special.CTAID_X);
        k.mul(firstPanel, firstPanel, PANELS);

        k.comment("where this lane's fragments lie in a stage");
        Reg rowAt = k.reg(Type.U32, "row_at");
        Reg panelAt = k.reg(Type.U32, "panel_at");
        Reg turn = k.reg(Type.U32, "turn");
        k.add(rowAt, warpRow, i);
        k.mul(rowAt, rowAt, rowBytes());
        k.mad(rowAt, t, rowBytes() / 4, rowAt);
        k.shr(turn, t, 1);
        k.mul(turn, turn, 2 * PIECE);
        k.mul(panelAt, i, 2 * Integer.BYTES);
        k.xor(panelAt, panelAt, turn);
        k.mad(panelAt, t, Packed.STEP_BYTES, panelAt);
        k.mad(panelAt, warpPanel, shape.unitBytes(), panelAt);
        k.add(panelAt, panelAt, panelsAt());

        Piece[] panels = panelPieces(k, rows, tid, firstPanel);
        Reg scales = scalesFrom(k, rows, tid, firstPanel);
        PackedTile warpTile = warpTile();
        rows.eachTile(k, ROWS, tile -> {
            Copies copies = new Copies(rowPieces(k, rows, tid, tile), panels, headsFrom(k, rows, tid, tile), scales);
            Reg[] totals = k.regs(Type.F32, "total", WARP_PANELS * WARP_TILES * PackedTile.FRAGMENT);
            Reg row = k.reg(Type.U32, "warp_first_row");
            k.add(row, tile, warpRow);
            for (int j = 0; j < WARP_TILES; j++) {
                for (int c = 0; c < 2; c++) {
                    Reg own = k.reg(Type.U32, "own_row");
                    k.mad(own, t, 2, row);
                    k.add(own, own, j * PackedTile.COLUMNS + c);
                    Reg zero = rows.zero(k, rows.source(k, own));
                    for (int s = j * PackedTile.FRAGMENT + c;
                            s < totals.length;
                            s += WARP_TILES * PackedTile.FRAGMENT) {
                        k.mov(totals[s], zero);
                        k.mov(totals[s + 2], zero);
                    }
                }
            }
            Reg[] sums = k.regs(isWhole() ? Type.S32 : Type.F32, "sum", totals.length);
            clear(k, sums);

            k.comment("the first stages set out");
            Ring filled = Ring.of(k, "filled", STAGES);
            Reg next = k.reg(Type.U32, "next_unit", 0);
            for (int s = 0; s < STAGES - 1; s++) {
                fill(k, rows, filled, base, tid, copies, next);
            }
            Ring used = Ring.of(k, "used", STAGES);
            k.loop("unit", 0, rows.units(), 1, unit -> {
                k.op("cp.async.wait_group", STAGES - 2);
                k.bar();
                fill(k, rows, filled, base, tid, copies, next);
                Reg stage = used.at(k, "stage", base, stageBytes());
                multiply(k, warpTile, stage, rowAt, panelAt, sums);
                k.when(endsGroup(k, rows, unit), () -> {
                    add(k, stage, warpRow, warpPanel, i, t, sums, totals);
                    clear(k, sums);
                });
                used.advance(k);
            });
            k.bar();
            Reg panel = k.reg(Type.U32, "warp_first_panel");
            k.add(panel, firstPanel, warpPanel);
            warpTile.store(k, rows, totals, panel, row, i, t);
        });
    }

    private void clear(PtxKernel k, Reg[] sums) {
        Arrays.stream(sums).forEach(sum -> {
            if (isWhole()) {
                k.mov(sum, 0);
            } else {
                k.mov(sum, 0f);
            }
        });
    }

    // ---------------------------------------------------------------------------------------------- copies

    private Piece[] rowPieces(PtxKernel k, PackedRows rows, Reg tid, Reg tile) {
        int perRow = rowBytes() / PIECE;
        Piece[] pieces = new Piece[ROWS * perRow / THREADS];
        for (int c = 0; c < pieces.length; c++) {
            Reg index = k.reg(Type.U32, "row_piece");
            Reg row = k.reg(Type.U32, "copied_row");
            Reg to = k.reg(Type.U32, "row_to");
            k.add(index, tid, c * THREADS);
            k.div(row, index, perRow);
            k.add(row, row, tile);
            Reg from = rows.sourceAt(k, rows.source(k, row));
            k.mul(to, index, PIECE);
            k.rem(index, index, perRow);
            k.madWide(from, index, PIECE, from);
            pieces[c] = new Piece(from, to, index);
        }
        return pieces;
    }

    private Piece[] panelPieces(PtxKernel k, PackedRows rows, Reg tid, Reg firstPanel) {
        int perPanel = shape.unitBytes() / PIECE;
        Piece[] pieces = new Piece[Math.ceilDiv(PANELS * perPanel, THREADS)];
        for (int c = 0; c < pieces.length; c++) {
            Reg index = k.reg(Type.U32, "panel_piece");
            Reg panel = k.reg(Type.U32, "copied_panel");
            Reg step = k.reg(Type.U32, "copied_step");
            Reg turn = k.reg(Type.U32, "copied_turn");
            Reg to = k.reg(Type.U32, "panel_to");
            k.add(index, tid, c * THREADS);
            k.div(panel, index, perPanel);
            k.mul(to, panel, shape.unitBytes());
            k.add(to, to, panelsAt());
            k.add(panel, panel, firstPanel);
            Reg from = rows.valuesAt(k, panel);
            k.rem(index, index, perPanel);
            k.madWide(from, index, PIECE, from);
            k.shr(step, index, 2);
            k.mad(to, step, Packed.STEP_BYTES, to);
            k.and(index, index, STEP_PIECES - 1);
            k.and(turn, step, 2);
            k.xor(index, index, turn);
            k.mad(to, index, PIECE, to);
            pieces[c] = new Piece(from, to, step);
        }
        return pieces;
    }

    private Reg headsFrom(PtxKernel k, PackedRows rows, Reg tid, Reg tile) {
        if (!isWhole()) {
            return tid;
        }
        Reg row = k.reg(Type.U32, "head_row");
        k.and(row, tid, ROWS - 1);
        k.add(row, row, tile);
        return rows.headsAt(k, rows.source(k, row));
    }

    /// Two pieces for each panel.
    private static Reg scalesFrom(PtxKernel k, PackedRows rows, Reg tid, Reg firstPanel) {
        Reg panel = k.reg(Type.U32, "scales_panel");
        Reg half = k.reg(Type.U32, "scales_half");
        k.shr(panel, tid, 1);
        k.add(panel, panel, firstPanel);
        Reg from = rows.scalesAt(k, panel);
        k.and(half, tid, 1);
        k.madWide(from, half, PIECE, from);
        return from;
    }

    /// @return a new predicate: whether this is the last unit of a group
    private Reg endsGroup(PtxKernel k, PackedRows rows, Reg unit) {
        Reg behind = k.reg(Type.U32, "behind");
        Reg rest = k.reg(Type.U32, "rest");
        k.add(behind, unit, 1);
        k.rem(rest, behind, shape.groupUnits());
        Reg ends = k.compare(Compare.EQ, rest, 0);
        Reg isLast = k.compare(Compare.EQ, behind, rows.units());
        k.op("or.pred", ends, ends, isLast);
        return ends;
    }

    /// Sets a unit's copies out, where there is one left.
    private void fill(PtxKernel k, PackedRows rows, Ring ring, Reg base, Reg tid, Copies copies, Reg next) {
        Reg stage = ring.at(k, "fill_at", base, stageBytes());
        Reg to = k.reg(Type.U32, "to");
        Reg from = k.reg(Type.U64, "from");
        k.when(k.compare(Compare.LT, next, rows.units()), () -> {
            for (Piece piece : copies.rows) {
                k.add(to, stage, piece.to);
                k.madWide(from, next, rowBytes(), piece.from);
                k.op("cp.async.cg.shared.global", to.at(0), from.at(0), PIECE);
            }
            for (Piece piece : copies.panels) {
                k.add(to, stage, piece.to);
                k.madWide(from, next, shape.unitBytes(), piece.from);
                int pieces = PANELS * shape.unitBytes() / PIECE;
                if (shape.isGuarded()) {
                    Reg step = k.reg(Type.U32, "own_step");
                    Reg bytes = k.reg(Type.U32, "bytes", PIECE);
                    k.mad(step, next, shape.unitBytes() / Packed.STEP_BYTES, piece.step);
                    k.onlyIf(k.compare(Compare.GE, step, rows.steps()), () -> k.mov(bytes, 0));
                    k.op("cp.async.cg.shared.global", to.at(0), from.at(0), PIECE, bytes);
                } else if (pieces < THREADS) {
                    k.when(
                            k.compare(Compare.LT, tid, pieces),
                            () -> k.op("cp.async.cg.shared.global", to.at(0), from.at(0), PIECE));
                } else {
                    k.op("cp.async.cg.shared.global", to.at(0), from.at(0), PIECE);
                }
            }
            if (shape.element().isScaled()) {
                k.when(endsGroup(k, rows, next), () -> fillScales(k, stage, tid, copies, next, to, from));
            }
        });
        k.op("cp.async.commit_group");
        k.add(next, next, 1);
        ring.advance(k);
    }

    private void fillScales(PtxKernel k, Reg stage, Reg tid, Copies copies, Reg unit, Reg to, Reg from) {
        Reg group = k.reg(Type.U32, "filled_group");
        k.div(group, unit, shape.groupUnits());
        if (isWhole()) {
            k.when(k.compare(Compare.LT, tid, ROWS), () -> {
                k.mad(to, tid, PackedEntry.HEAD, stage);
                k.madWide(from, group, PackedEntry.HEAD, copies.head);
                k.op("cp.async.ca.shared.global", to.at(headsAt()), from.at(0), PackedEntry.HEAD);
            });
        }
        k.when(k.compare(Compare.LT, tid, PANELS * PANEL_SCALES / PIECE), () -> {
            k.mad(to, tid, PIECE, stage);
            k.madWide(from, group, PANEL_SCALES, copies.scales);
            k.op("cp.async.cg.shared.global", to.at(scalesAt()), from.at(0), PIECE);
        });
    }

    // ---------------------------------------------------------------------------------------------- sums

    private void multiply(PtxKernel k, PackedTile warpTile, Reg stage, Reg rowAt, Reg panelAt, Reg[] sums) {
        Reg at = k.reg(Type.U32, "at");
        Reg[][] right = new Reg[WARP_TILES][];
        k.add(at, stage, rowAt);
        for (int j = 0; j < WARP_TILES; j++) {
            right[j] = k.regs(Type.B32, "x", isWhole() ? 2 : PackedTile.FRAGMENT);
            k.ld(SHARED, vec(right[j]), at.at((long) j * PackedTile.COLUMNS * rowBytes()));
        }
        k.add(at, stage, panelAt);
        for (int p = 0; p < WARP_PANELS; p++) {
            Reg[] words = k.regs(Type.B32, "w", 2 * shape.unitBytes() / PackedTile.FOUR_STEPS);
            for (int q = 0; q < words.length / 2; q++) {
                k.ld(SHARED, vec(words, 2 * q, 2), at.at((long) p * shape.unitBytes() + q * PackedTile.FOUR_STEPS));
            }
            int count = WARP_TILES * PackedTile.FRAGMENT;
            warpTile.multiply(k, words, right, Arrays.copyOfRange(sums, p * count, (p + 1) * count));
        }
    }

    /// Adds a group's sums to the totals.
    private void add(PtxKernel k, Reg stage, Reg warpRow, Reg warpPanel, Reg i, Reg t, Reg[] sums, Reg[] totals) {
        Reg[] values = sums;
        if (isWhole()) {
            values = k.regs(Type.F32, "float_sum", sums.length);
            Reg at = k.reg(Type.U32, "heads_at");
            k.mad(at, warpRow, PackedEntry.HEAD, stage);
            k.mad(at, t, 2 * PackedEntry.HEAD, at);
            for (int j = 0; j < WARP_TILES; j++) {
                Reg[] heads = k.regs(Type.S32, "heads", PackedTile.FRAGMENT);
                k.ld(SHARED, vec(heads), at.at(headsAt() + (long) j * PackedTile.COLUMNS * PackedEntry.HEAD));
                for (int c = 0; c < 2; c++) {
                    Reg factor = k.reg(Type.F32, "factor");
                    k.op("mov.b32", factor, heads[2 * c]);
                    for (int s = j * PackedTile.FRAGMENT + c; s < sums.length; s += 2) {
                        if (s / PackedTile.FRAGMENT % WARP_TILES == j) {
                            k.add(sums[s], sums[s], heads[2 * c + 1]);
                            k.op("cvt.rn.f32.s32", values[s], sums[s]);
                            k.mul(values[s], values[s], factor);
                        }
                    }
                }
            }
        }
        Reg at = k.reg(Type.U32, "scales_at");
        k.mad(at, warpPanel, PANEL_SCALES, stage);
        k.mad(at, i, 2 * Short.BYTES, at);
        int count = WARP_TILES * PackedTile.FRAGMENT;
        for (int p = 0; p < WARP_PANELS; p++) {
            Reg[] two = new Reg[0];
            if (shape.element().isScaled()) {
                Reg pair = k.reg(Type.B32, "scales");
                k.ld(SHARED, pair, at.at(scalesAt() + (long) p * PANEL_SCALES));
                two = PackedTile.scales(k, pair);
            }
            PackedTile.add(
                    k,
                    Arrays.copyOfRange(values, p * count, (p + 1) * count),
                    two,
                    Arrays.copyOfRange(totals, p * count, (p + 1) * count));
        }
    }
}
