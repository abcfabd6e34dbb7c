package dev.wok.kernel.ptx;

import static dev.wok.emit.ptx.Space.GLOBAL;

import dev.wok.device.GpuStream;
import dev.wok.device.Launch;
import dev.wok.device.Memory;
import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Routing;
import dev.wok.tensor.Tensor;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/// What each kernel of an [ExpertProduct] is given. Rows lie so many bytes apart, and so do the experts' matrices.
///
/// @param out gate and up; a row's result; the gradient
/// @param extra the activation, written by [ExpertProduct#GATE_UP] and read by [ExpertProduct#DOWN_BACKWARD]
/// @param parts of dots, `[rows, parts]`, F32
/// @param factors of the rows, by slot
/// @param height rows of a gradient
record GroupedArguments(
        Reg left,
        Reg leftRow,
        Reg right,
        Reg rightRow,
        Reg rightExpert,
        Reg out,
        Reg outRow,
        Reg outExpert,
        Reg extra,
        Reg extraRow,
        Reg parts,
        Reg factors,
        Reg offsets,
        Reg rowSlot,
        Reg experts,
        Reg rows,
        Reg height,
        Reg width,
        Reg depth) {

    static GroupedArguments of(PtxKernel k) {
        return new GroupedArguments(
                k.param("left", Type.U64),
                k.param("left_row_bytes", Type.U64),
                k.param("right", Type.U64),
                k.param("right_row_bytes", Type.U64),
                k.param("right_expert_bytes", Type.U64),
                k.param("out", Type.U64),
                k.param("out_row_bytes", Type.U64),
                k.param("out_expert_bytes", Type.U64),
                k.param("extra", Type.U64),
                k.param("extra_row_bytes", Type.U64),
                k.param("parts", Type.U64),
                k.param("factors", Type.U64),
                k.param("offsets", Type.U64),
                k.param("row_slot", Type.U64),
                k.param("experts", Type.U32),
                k.param("rows", Type.U32),
                k.param("height", Type.U32),
                k.param("width", Type.U32),
                k.param("depth", Type.U32));
    }

    /// The tensors and sizes of a product.
    ///
    /// @param left `[tokens or rows, depth or height]`
    /// @param right a weight `[experts, .., ..]`, or rows `[tokens or rows, width]`
    record Problem(
            ExpertProduct what,
            Routing.Plan plan,
            Tensor left,
            Tensor right,
            Tensor out,
            @Nullable Tensor extra,
            @Nullable Tensor factors,
            @Nullable Tensor parts,
            int topK,
            int height,
            int width,
            int depth) {

        /// @return the same with other places for what is written
        Problem into(Memory memory) {
            Tensor other = what == ExpertProduct.GATE_UP && extra != null ? Programs.alike(memory, extra) : extra;
            return new Problem(
                    what,
                    plan,
                    left,
                    right,
                    Programs.alike(memory, out),
                    other,
                    factors,
                    parts,
                    topK,
                    height,
                    width,
                    depth);
        }

        int experts() {
            return plan.offsets().size(0) - 1;
        }

        int rows() {
            return plan.rowSlot().size(0);
        }

        /// @return the rows that an expert has, were they spread evenly
        int rowsEach() {
            return Math.ceilDiv(rows(), Math.max(1, experts()));
        }

        /// @param more what this kernel is given beside
        void launch(GpuStream stream, PtxFunction kernel, Launch launch, Object... more) {
            Object[] arguments = {
                left,
                Elements.rowBytes(left),
                right,
                right.stride(right.rank() - 2) * right.dtype().bytes(),
                right.rank() == 3 ? Elements.rowBytes(right) : 0L,
                out,
                out.stride(out.rank() - 2) * out.dtype().bytes(),
                out.rank() == 3 ? Elements.rowBytes(out) : 0L,
                orNothing(extra),
                extra == null ? 0L : Elements.rowBytes(extra),
                orNothing(parts),
                orNothing(factors),
                plan.offsets(),
                plan.rowSlot(),
                experts(),
                rows(),
                height,
                width,
                depth
            };
            Object[] all = Arrays.copyOf(arguments, arguments.length + more.length);
            System.arraycopy(more, 0, all, arguments.length, more.length);
            stream.launch(kernel, launch, all);
        }

        private static Object orNothing(@Nullable Tensor tensor) {
            return tensor == null ? (Object) 0L : tensor;
        }
    }

    /// @param row an expert's row
    /// @return its slot, which may lie outside of the table
    Reg slot(PtxKernel k, Reg row) {
        Reg slot = k.reg(Type.U32, "slot");
        Reg at = k.reg(Type.U64, "slot_at");
        k.madWide(at, row, Integer.BYTES, rowSlot);
        k.ld(GLOBAL, slot, at);
        return slot;
    }

    /// @param row an expert's row
    /// @return its token; the last one, where its slot lies outside of the table
    Reg token(PtxKernel k, Reg row, int topK) {
        Reg slot = slot(k, row);
        Reg last = k.reg(Type.U32, "last_slot");
        k.sub(last, rows, 1);
        k.min(slot, slot, last);
        if (topK > 1) {
            k.div(slot, slot, topK);
        }
        return slot;
    }
}
