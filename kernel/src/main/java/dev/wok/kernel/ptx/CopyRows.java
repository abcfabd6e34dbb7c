package dev.wok.kernel.ptx;

import dev.wok.device.GpuStream;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.tensor.Tensor;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/// Copies rows of adjacent numbers from one place to another, rounded where the other type is narrower.
/// What is no number stays none, though not with the same bits where the types differ.
///
/// @param dimensions along which rows lie apart; none where all numbers lie side by side
record CopyRows(Elements from, Elements to, int dimensions) {
    private static final int MOST_DIMENSIONS = 3;

    /// A dimension along which rows lie.
    ///
    /// @param from in elements, from one to the next
    /// @param to likewise
    private record Dimension(long size, long from, long to) {
        /// @return whether one step of the outer dimension is as many of this one as there are
        boolean continues(Dimension outer) {
            return outer.from == size * from && outer.to == size * to;
        }
    }

    /// @return what writes each kernel of these elements
    static List<Consumer<PtxKernel>> kernels(Elements from, Elements to) {
        List<Consumer<PtxKernel>> all = new ArrayList<>();
        for (int dimensions = 0; dimensions <= MOST_DIMENSIONS; dimensions++) {
            all.add(new CopyRows(from, to, dimensions)::write);
        }
        return all;
    }

    /// @param from shaped as `to`
    static void launch(Programs programs, Tensor from, Tensor to) {
        long[] strides = new long[to.rank()];
        for (int i = 0; i < strides.length; i++) {
            strides[i] = from.stride(i);
        }
        launch(programs, from, strides, to);
    }

    /// @param from where the rows begin
    /// @param strides of `from`, one for each dimension of `to`; 0 where it has but one row
    static void launch(Programs programs, Tensor from, long[] strides, Tensor to) {
        if (to.elements() == 0) {
            return;
        }
        int n = to.size(to.rank() - 1);
        List<Dimension> dimensions = dimensions(strides, to);
        long rows = to.elements() / n;
        Dimension last = dimensions.getLast();
        GpuStream stream = programs.gpu().stream();
        if (rows == 1 || dimensions.size() == 1 && last.from == n && last.to == n) {
            CopyRows copy = of(Elements.flat(from), Elements.flat(to), 0);
            stream.launch(
                    programs.get(copy, "copy", copy::write),
                    Grid.all(to.elements(), copy.to.count()),
                    from,
                    to,
                    to.elements());
            return;
        }
        CopyRows copy = of(Elements.of(n, from), Elements.of(n, to), dimensions.size());
        List<Object> arguments = new ArrayList<>(List.of(from, to, Math.toIntExact(rows), n));
        for (Dimension dimension : dimensions) {
            arguments.add(Math.toIntExact(dimension.size));
            arguments.add(dimension.from * from.dtype().bytes());
            arguments.add(dimension.to * to.dtype().bytes());
        }
        stream.launch(
                programs.get(copy, "copy_rows", copy::write),
                Grid.rows(Math.toIntExact(rows), n, copy.to.count()),
                arguments.toArray());
    }

    static CopyRows of(Elements from, Elements to, int dimensions) {
        return new CopyRows(from.atMost(to), to.atMost(from), dimensions);
    }

    /// @return the dimensions but the last, those that are like one taken together
    private static List<Dimension> dimensions(long[] strides, Tensor to) {
        List<Dimension> all = new ArrayList<>();
        for (int i = 0; i < to.rank() - 1; i++) {
            Dimension own = new Dimension(to.dim(i), strides[i], to.stride(i));
            if (own.size > 1 && !all.isEmpty() && own.continues(all.getLast())) {
                own = new Dimension(all.removeLast().size * own.size, own.from, own.to);
            }
            if (own.size > 1) {
                all.add(own);
            }
        }
        if (all.isEmpty()) {
            all.add(new Dimension(1, 0, 0));
        }
        if (all.size() > MOST_DIMENSIONS) {
            throw new IllegalArgumentException(
                    "a copy to %s, expected rows along at most %d dimensions".formatted(to, MOST_DIMENSIONS));
        }
        return all;
    }

    private void write(PtxKernel k) {
        Reg source = k.param("from", Type.U64);
        Reg target = k.param("to", Type.U64);
        if (dimensions == 0) {
            Reg elements = k.param("elements", Type.U64);
            Grid.each(
                    k,
                    to.count(),
                    elements,
                    i -> copy(k, from.at(k, "from_at", source, i), to.at(k, "to_at", target, i)));
            return;
        }
        Reg rows = k.param("rows", Type.U32);
        Reg n = k.param("n", Type.U32);
        Reg[] sizes = new Reg[dimensions];
        Reg[] fromBytes = new Reg[dimensions];
        Reg[] toBytes = new Reg[dimensions];
        for (int i = 0; i < dimensions; i++) {
            sizes[i] = k.param("size_" + i, Type.U32);
            fromBytes[i] = k.param("from_bytes_" + i, Type.U64);
            toBytes[i] = k.param("to_bytes_" + i, Type.U64);
        }
        Grid.eachOfRows(k, to.count(), rows, n, (row, column) -> {
            Reg fromAt = from.at(k, "from_at", source, column);
            Reg toAt = to.at(k, "to_at", target, column);
            Reg rest = k.reg(Type.U32, "rest", row);
            Reg index = k.reg(Type.U32, "index");
            Reg wide = k.reg(Type.U64, "wide_index");
            for (int i = dimensions - 1; i >= 0; i--) {
                k.mov(index, rest);
                if (i > 0) {
                    Divide.by(k, rest, index, sizes[i]);
                }
                k.op("cvt.u64.u32", wide, index);
                k.mad(fromAt, wide, fromBytes[i], fromAt);
                k.mad(toAt, wide, toBytes[i], toAt);
            }
            copy(k, fromAt, toAt);
        });
    }

    /// Copies a thread's numbers.
    void copy(PtxKernel k, Reg fromAt, Reg toAt) {
        if (from.dtype() == to.dtype()) {
            from.copy(k, fromAt, toAt);
        } else {
            to.store(k, toAt, from.load(k, "value", fromAt));
        }
    }
}
