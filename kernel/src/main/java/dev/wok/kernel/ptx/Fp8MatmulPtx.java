package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.device.Launch;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Target;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Fp8Matmul;
import dev.wok.tensor.DType;
import dev.wok.tensor.E4m3;
import dev.wok.tensor.Shape;
import dev.wok.tensor.Tensor;

/// The tensor cores multiply E4M3 where they know it: by `wgmma` for sm_90a, by `mma.sync` on Ada and
/// its like. Elsewhere it is widened to float16 on its way into them, so that memory still holds and
/// moves a byte for each number.
///
/// Rows that do not begin at multiples of 16 bytes are copied first.
final class Fp8MatmulPtx extends Fp8Matmul {
    private final Programs programs;
    private final ProductChoices choices;

    Fp8MatmulPtx(Programs programs) {
        this.programs = programs;
        choices = new ProductChoices(programs);
    }

    @Override
    protected void round(Tensor x, Tensor values, Tensor scales) {
        Shape.require("Fp8Matmul on a GPU", scales, "scales", DType.F32);
        Quantize.launch(programs, x, values, scales);
    }

    @Override
    protected void multiply(Tensor a, Tensor aScales, Tensor b, Tensor bScales, Tensor c) {
        Shape.require("Fp8Matmul on a GPU", c, "c", DType.F32);
        if (a.dim(1) == 0) {
            Product zero = new Product(c.slice(1, 0, 0), false, c.slice(0, 0, 0), true, c, false);
            ProductF32.multiply(programs, zero, programs.gpu().facts().multiprocessors());
            return;
        }
        boolean isWidened = !hasE4m3(programs.target());
        Product product = new Product(
                ready("Fp8Matmul.a", a),
                false,
                ready("Fp8Matmul.b", b),
                false,
                c,
                false,
                new Product.Scales(aScales, bScales, isWidened));
        choices.launch(product);
    }

    /// @return whether tensor cores of these chips multiply E4M3 in the instructions that are used for
    ///     them
    private static boolean hasE4m3(Target target) {
        return switch (target) {
            case SM_89, SM_90A, SM_120, SM_120A -> true;
            case SM_80, SM_86, SM_90, SM_100, SM_100A -> false;
        };
    }

    /// @return the operand where its rows begin at multiples of 16 bytes, or else a copy
    private Tensor ready(String name, Tensor operand) {
        if (AlignedRows.are(operand)) {
            return operand;
        }
        Tensor copy = AlignedRows.scratch(programs, name, DType.F8_E4M3, operand.shape());
        CopyBytes.launch(programs, operand, copy);
        return copy;
    }

    /// Copies rows of bytes, a thread for each.
    private record CopyBytes() {
        static void launch(Programs programs, Tensor from, Tensor to) {
            programs.gpu().stream()
                    .launch(
                            programs.get(new CopyBytes(), "copy_bytes", CopyBytes::write),
                            Grid.rows(from.size(0), from.size(1), 1),
                            from,
                            from.stride(0),
                            to,
                            to.stride(0),
                            from.size(0),
                            from.size(1));
        }

        static void write(PtxKernel k) {
            Reg from = k.param("from", Type.U64);
            Reg fromRow = k.param("from_row_bytes", Type.U64);
            Reg to = k.param("to", Type.U64);
            Reg toRow = k.param("to_row_bytes", Type.U64);
            Reg rows = k.param("rows", Type.U32);
            Reg columns = k.param("columns", Type.U32);
            Reg value = k.reg(Type.U32, "value");
            Grid.eachOfRows(k, 1, rows, columns, (row, column) -> {
                Reg at = Elements.row(k, "from_at", from, row, fromRow);
                k.madWide(at, column, 1, at);
                k.op("ld.global.u8", value, at.at(0));
                at = Elements.row(k, "to_at", to, row, toRow);
                k.madWide(at, column, 1, at);
                k.op("st.global.u8", at.at(0), value);
            });
        }
    }

    /// Rounds groups of 128, a warp for each, four numbers for each lane. The bits of E4M3 come from
    /// those of float32, on every chip alike.
    ///
    /// @param isWide whether four numbers are written at once
    record Quantize(Elements from, boolean isWide) {
        private static final int WARPS = 4;
        private static final int FOUR = 4;
        private static final int MOST_ROWS = 65535;

        static void launch(Programs programs, Tensor x, Tensor values, Tensor scales) {
            Elements from = Elements.of(x.size(1), x);
            boolean isWide = values.memory().address() % FOUR == 0
                    && x.size(1) % FOUR == 0
                    && (values.dim(0) == 1 || values.stride(0) % FOUR == 0);
            Quantize kernel = new Quantize(from, isWide);
            programs.gpu().stream()
                    .launch(
                            programs.get(kernel, "quantize_e4m3", kernel::write),
                            Launch.of(1, WARPS * Sums.LANES)
                                    .withGrid(Math.ceilDiv(scales.size(1), WARPS), Math.min(x.size(0), MOST_ROWS), 1),
                            x,
                            Elements.rowBytes(x),
                            values,
                            values.stride(0),
                            scales,
                            Elements.rowBytes(scales),
                            x.size(0),
                            x.size(1));
        }

        void write(PtxKernel k) {
            Reg x = k.param("x", Type.U64);
            Reg xRow = k.param("x_row_bytes", Type.U64);
            Reg values = k.param("values", Type.U64);
            Reg valuesRow = k.param("values_row_bytes", Type.U64);
            Reg scales = k.param("scales", Type.U64);
            Reg scalesRow = k.param("scales_row_bytes", Type.U64);
            Reg rows = k.param("m", Type.U32);
            Reg columns = k.param("k", Type.U32);
            Reg tid = k.reg(Type.U32, "tid", Special.TID_X);
            Reg lane = k.reg(Type.U32, "lane");
            Reg group = k.reg(Type.U32, "group", Special.CTAID_X);
            Reg first = k.reg(Type.U32, "first_row", Special.CTAID_Y);
            Reg step = k.reg(Type.U32, "row_step", Special.NCTAID_Y);
            Reg warp = k.reg(Type.U32, "warp");
            Reg column = k.reg(Type.U32, "column");
            k.and(lane, tid, Sums.LANES - 1);
            k.shr(warp, tid, 5);
            k.mad(group, group, WARPS, warp);
            k.mul(column, group, GROUP);
            k.when(k.compare(Compare.GE, column, columns), k::ret);
            k.mad(column, lane, FOUR, column);
            Reg room = k.reg(Type.S32, "room");
            k.op("sub.s32", room, columns, column);
            Reg wide = k.reg(Type.U64, "wide");
            Reg at = k.reg(Type.U64, "at");
            k.loop("row", first, rows, step, row -> {
                k.op("cvt.u64.u32", wide, row);
                k.mad(at, wide, xRow, x);
                k.madWide(at, column, from.bytes(), at);
                Reg[] four = load(k, at, room);
                k.comment("the greatest of the group, and NaN of numbers that are none or infinite");
                Reg scale = k.reg(Type.F32, "scale", LEAST);
                Reg magnitude = k.reg(Type.F32, "magnitude");
                Reg spoiled = k.reg(Type.F32, "spoiled", 0f);
                for (Reg value : four) {
                    k.abs(magnitude, value);
                    k.fma(spoiled, value, 0f, spoiled);
                    k.op("max.NaN.f32", scale, scale, magnitude);
                }
                k.add(scale, scale, spoiled);
                Sums.greatestOfWarp(k, scale);
                k.div(scale, scale, E4m3.MAX);
                k.when(k.compare(Compare.EQ, lane, 0), () -> {
                    Reg to = k.reg(Type.U64, "scale_at");
                    k.mad(to, wide, scalesRow, scales);
                    k.madWide(to, group, Float.BYTES, to);
                    k.st(GLOBAL, to, scale);
                });
                Reg isNumber = k.compare("is_number", Compare.EQ, scale, scale);
                k.mad(at, wide, valuesRow, values);
                k.madWide(at, column, 1, at);
                store(k, at, room, four, scale, isNumber);
            });
        }

        private Reg[] load(PtxKernel k, Reg at, Reg room) {
            Reg[] four = k.regs(Type.F32, "x", FOUR);
            for (Reg value : four) {
                k.mov(value, 0f);
            }
            if (from.count() == FOUR) {
                k.when(k.compare("is_inside", Compare.GT, room, 0), () -> from.load(k, four, at));
                return four;
            }
            Reg single = k.reg(Type.U64, "single_at");
            for (int i = 0; i < FOUR; i++) {
                Reg value = four[i];
                k.add(single, at, (long) i * from.bytes());
                k.when(k.compare("is_inside", Compare.GT, room, i), () -> from.load(k, new Reg[] {value}, single));
            }
            return four;
        }

        private void store(PtxKernel k, Reg at, Reg room, Reg[] four, Reg scale, Reg isNumber) {
            Reg packed = k.reg(Type.B32, "packed", 0);
            for (int i = 0; i < FOUR; i++) {
                Reg code = code(k, four[i], scale);
                k.selp(code, code, 0, isNumber);
                if (isWide) {
                    k.shl(code, code, 8 * i);
                    k.or(packed, packed, code);
                    continue;
                }
                k.onlyIf(k.compare("is_inside", Compare.GT, room, i), () -> k.op("st.global.u8", at.at(0), code));
                k.add(at, at, 1L);
            }
            if (isWide) {
                k.onlyIf(k.compare("is_inside", Compare.GT, room, 0), () -> k.st(GLOBAL, at, packed));
            }
        }

        /// @return the bits of the E4M3 that is nearest to `value / scale`, which is no larger than the
        ///     largest one
        private static Reg code(PtxKernel k, Reg value, Reg scale) {
            Reg quotient = k.reg(Type.F32, "quotient");
            Reg bits = k.reg(Type.U32, "bits");
            Reg sign = k.reg(Type.U32, "sign");
            Reg small = k.reg(Type.F32, "small");
            Reg code = k.reg(Type.U32, "code");
            Reg even = k.reg(Type.U32, "even");
            k.div(quotient, value, scale);
            k.op("mov.b32", bits, quotient);
            k.op("shr.u32", sign, bits, 24);
            k.and(sign, sign, 0x80);
            k.and(bits, bits, 0x7FFF_FFFF);
            // Below the smallest normal number they go in steps of 2^-9, which is what 2^14 leaves of a sum.
            k.abs(quotient, quotient);
            k.add(small, quotient, 0x1p14f);
            k.op("mov.b32", code, small);
            k.and(code, code, 0xFF);
            k.op("shr.u32", even, bits, 20);
            k.and(even, even, 1);
            Reg normal = k.reg(Type.U32, "normal");
            k.add(normal, bits, (1 << 19) - 1);
            k.add(normal, normal, even);
            k.op("shr.u32", normal, normal, 20);
            k.sub(normal, normal, (127 - 7) << 3);
            Reg isNormal = k.compare("is_normal", Compare.GE, quotient, 0x1p-6f);
            k.selp(code, normal, code, isNormal);
            k.or(code, code, sign);
            return code;
        }
    }
}
