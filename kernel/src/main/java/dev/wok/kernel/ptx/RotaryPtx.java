package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Rotary;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;

/// A thread for each pair, or for four pairs that lie side by side.
final class RotaryPtx extends Rotary {
    private final Programs programs;

    RotaryPtx(Programs programs) {
        this.programs = programs;
    }

    /// @param frequencies of the frequencies
    /// @param table of cosine and sine
    private record Table(DType frequencies, DType table) {}

    private record Turn(Elements elements, Pairing pairing, boolean backward) {}

    /// @return what writes each kernel of these elements
    static List<Consumer<PtxKernel>> kernels(Elements elements) {
        List<Consumer<PtxKernel>> all = new ArrayList<>();
        all.add(k -> table(k, new Table(DType.F32, elements.dtype())));
        for (Pairing pairing : Pairing.values()) {
            for (boolean backward : new boolean[] {false, true}) {
                all.add(k -> turn(k, new Turn(elements, pairing, backward)));
            }
        }
        return all;
    }

    @Override
    protected void angles(Tensor positions, Tensor frequencies, double scaling, Tensor cos, Tensor sin) {
        Table table = new Table(frequencies.dtype(), cos.dtype());
        programs.gpu().stream()
                .launch(
                        programs.get(table, "rotary_table", k -> table(k, table)),
                        Grid.rows(cos.size(0), cos.size(1), 1),
                        positions,
                        frequencies,
                        scaling,
                        cos,
                        Elements.rowBytes(cos),
                        sin,
                        Elements.rowBytes(sin),
                        cos.size(0),
                        cos.size(1));
    }

    private static void table(PtxKernel k, Table table) {
        Elements source = new Elements(table.frequencies, 1);
        Elements target = new Elements(table.table, 1);
        Reg positions = k.param("positions", Type.U64);
        Reg frequencies = k.param("frequencies", Type.U64);
        Reg scaling = k.param("scaling", Type.F64);
        Reg cos = k.param("cos", Type.U64);
        Reg cosRow = k.param("cos_row_bytes", Type.U64);
        Reg sin = k.param("sin", Type.U64);
        Reg sinRow = k.param("sin_row_bytes", Type.U64);
        Reg tokens = k.param("tokens", Type.U32);
        Reg n = k.param("n", Type.U32);
        Grid.eachOfRows(k, 1, tokens, n, (token, column) -> {
            Reg position = k.reg(Type.S32, "position");
            Reg at = k.reg(Type.U64, "position_at");
            k.madWide(at, token, Integer.BYTES, positions);
            k.ld(GLOBAL, position, at);
            k.comment("the angle is rounded to float32");
            Reg frequency = source.load(k, "frequency", source.at(k, "frequency_at", frequencies, column))[0];
            Reg angle = k.reg(Type.F32, "angle");
            Reg wide = k.reg(Type.F64, "wide_angle");
            k.cvt(angle, position);
            k.mul(angle, angle, frequency);
            k.cvt(wide, angle);
            Reg sine = k.reg(Type.F64, "sine");
            Reg cosine = k.reg(Type.F64, "cosine");
            SinCos.of(k, sine, cosine, wide);
            k.mul(sine, sine, scaling);
            k.mul(cosine, cosine, scaling);
            target.store(k, target.at(k, "cos_at", cos, token, cosRow, column), rounded(k, cosine, target));
            target.store(k, target.at(k, "sin_at", sin, token, sinRow, column), rounded(k, sine, target));
        });
    }

    /// @return a double as float32: the nearest, or, where it is rounded once more, one that does not
    ///     spoil that: towards zero, and odd where something is lost, so that no tie comes about
    private static Reg rounded(PtxKernel k, Reg value, Elements target) {
        Reg rounded = k.reg(Type.F32, "rounded");
        if (target.dtype() == DType.F32) {
            k.cvt(rounded, value);
            return rounded;
        }
        Reg back = k.reg(Type.F64, "back");
        Reg bits = k.reg(Type.B32, "bits");
        k.op("cvt.rz.f32.f64", rounded, value);
        k.cvt(back, rounded);
        k.op("mov.b32", bits, rounded);
        k.onlyIf(k.compare(Compare.NE, back, value), () -> k.or(bits, bits, 1));
        k.op("mov.b32", rounded, bits);
        return rounded;
    }

    @Override
    protected void turn(Tensor x, Tensor cos, Tensor sin, Pairing pairing, boolean backward) {
        int half = cos.size(1);
        int heads = x.size(1);
        int rows = Math.multiplyExact(x.size(0), heads);
        Turn turn = new Turn(Elements.of(half, x, cos, sin), pairing, backward);
        programs.gpu().stream()
                .launch(
                        programs.get(turn, "rotary", k -> turn(k, turn)),
                        Grid.rows(rows, half, turn.elements.count()),
                        x,
                        Elements.rowBytes(x),
                        x.stride(1) * x.dtype().bytes(),
                        cos,
                        Elements.rowBytes(cos),
                        sin,
                        Elements.rowBytes(sin),
                        heads,
                        rows,
                        half);
    }

    private static void turn(PtxKernel k, Turn turn) {
        Elements elements = turn.elements;
        int count = elements.count();
        boolean isInterleaved = turn.pairing == Pairing.INTERLEAVED;
        Reg x = k.param("x", Type.U64);
        Reg tokenBytes = k.param("token_bytes", Type.U64);
        Reg headBytes = k.param("head_bytes", Type.U64);
        Reg cos = k.param("cos", Type.U64);
        Reg cosRow = k.param("cos_row_bytes", Type.U64);
        Reg sin = k.param("sin", Type.U64);
        Reg sinRow = k.param("sin_row_bytes", Type.U64);
        Reg heads = k.param("heads", Type.U32);
        Reg rows = k.param("rows", Type.U32);
        Reg half = k.param("half", Type.U32);
        Grid.eachOfRows(k, count, rows, half, (row, column) -> {
            Reg head = k.reg(Type.U32, "head", row);
            Reg token = k.reg(Type.U32, "token");
            Divide.by(k, token, head, heads);
            Reg[] cosines = elements.load(k, "cos", elements.at(k, "cos_at", cos, token, cosRow, column));
            Reg[] sines = elements.load(k, "sin", elements.at(k, "sin_at", sin, token, sinRow, column));
            Reg begin = Elements.row(k, "token_at", x, token, tokenBytes);
            begin = Elements.row(k, "head_at", begin, head, headBytes);
            Reg second = k.reg(Type.U32, "second");
            Reg first = k.reg(Type.U32, "first");
            if (isInterleaved) {
                k.mul(first, column, 2);
                k.add(second, first, count);
            } else {
                k.mov(first, column);
                k.add(second, column, half);
            }
            Reg firstAt = elements.at(k, "first_at", begin, first);
            Reg secondAt = elements.at(k, "second_at", begin, second);
            Reg[] values = Arrays.copyOf(elements.load(k, "x", firstAt), 2 * count);
            System.arraycopy(elements.load(k, "y", secondAt), 0, values, count, count);
            Reg crossed = k.reg(Type.F32, "crossed");
            for (int i = 0; i < count; i++) {
                Reg x0 = values[isInterleaved ? 2 * i : i];
                Reg x1 = values[isInterleaved ? 2 * i + 1 : count + i];
                if (turn.backward) {
                    k.neg(sines[i], sines[i]);
                }
                k.comment("(x0, x1) = (x0 cos - x1 sin, x1 cos + x0 sin)");
                k.mul(crossed, x0, sines[i]);
                k.mul(x0, x0, cosines[i]);
                k.neg(sines[i], sines[i]);
                k.fma(x0, x1, sines[i], x0);
                k.fma(x1, x1, cosines[i], crossed);
            }
            elements.store(k, firstAt, Arrays.copyOfRange(values, 0, count));
            elements.store(k, secondAt, Arrays.copyOfRange(values, count, 2 * count));
        });
    }
}
