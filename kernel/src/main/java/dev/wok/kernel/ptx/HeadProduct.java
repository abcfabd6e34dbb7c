package dev.wok.kernel.ptx;

import dev.wok.device.Launch;
import dev.wok.device.PtxFunction;
import dev.wok.emit.ptx.Compare;
import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Special;
import dev.wok.emit.ptx.Type;
import dev.wok.kernel.Packed;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;

/// A product for each head with a matrix of its own, `y[t, h, :] = w[h] x[t, h, :]`, summed in an order that depends on
/// the common dimension alone.
final class HeadProduct {
    private HeadProduct() {}

    /// How a matrix `[n, k]` lies.
    enum Layout {
        /// Rows of adjacent numbers.
        ROWS,
        /// Columns of adjacent numbers.
        COLUMNS,
        /// Panels of a [Packed] weight.
        PANELS
    }

    /// The matrices of all heads.
    ///
    /// @param at the first one
    /// @param headBytes from one head's to the next
    /// @param stride bytes from one row, column or panel to the next
    record Matrices(Layout layout, DType dtype, Tensor at, long headBytes, long stride, int n, int k) {
        /// @param weight `[heads, n, k]`; rows or columns of adjacent numbers
        static Matrices of(Tensor weight) {
            boolean isRows = weight.stride(2) == 1;
            long bytes = weight.dtype().bytes();
            return new Matrices(
                    isRows ? Layout.ROWS : Layout.COLUMNS,
                    weight.dtype(),
                    weight,
                    weight.stride(0) * bytes,
                    weight.stride(isRows ? 1 : 2) * bytes,
                    weight.size(1),
                    weight.size(2));
        }

        /// @param weight `[heads, n, k]` of F32 or BF16
        static Matrices of(Packed weight) {
            return new Matrices(
                    Layout.PANELS,
                    weight.element() == Packed.Element.F32 ? DType.F32 : DType.BF16,
                    weight.values(),
                    weight.panelBytes() * weight.panels(),
                    weight.panelBytes(),
                    weight.n(),
                    weight.k());
        }
    }

    /// Computes `y`, and copies the numbers of `x` behind its first `k` to behind the first `n` of `y`.
    ///
    /// @param x `[tokens, heads, k + rest]`
    /// @param y `[tokens, heads, n + rest]`
    /// @param rounds whether operands are rounded to bf16
    static void multiply(Programs programs, Matrices w, Tensor x, Tensor y, boolean rounds) {
        if (y.elements() == 0) {
            return;
        }
        if (rounds) {
            HeadProductSm80 shape = HeadProductSm80.choose(w, x, y);
            PtxFunction kernel = programs.get(shape, "head_product_sm80", shape::write);
            launch(programs, kernel, shape.launch(w.k), shape.rows(), shape.tokens(), w, x, y);
        } else {
            HeadProductPlain shape = new HeadProductPlain(w.layout, w.dtype, x.dtype(), y.dtype());
            PtxFunction kernel = programs.get(shape, "head_product", shape::write);
            launch(programs, kernel, shape.launch(w.k), HeadProductPlain.THREADS, HeadProductPlain.TOKENS, w, x, y);
        }
    }

    private static void launch(
            Programs programs, PtxFunction kernel, Launch block, int rows, int tokens, Matrices w, Tensor x, Tensor y) {
        int tiles = Math.max(1, Math.ceilDiv(w.n, rows));
        long blocks = (long) Math.ceilDiv(x.size(0), tokens) * tiles * x.size(1);
        programs.gpu().stream()
                .launch(
                        kernel,
                        block.withGrid(Math.toIntExact(blocks), 1, 1),
                        w.at,
                        w.headBytes,
                        w.stride,
                        x,
                        x.stride(0) * x.dtype().bytes(),
                        x.stride(1) * x.dtype().bytes(),
                        y,
                        y.stride(0) * y.dtype().bytes(),
                        y.stride(1) * y.dtype().bytes(),
                        x.size(0),
                        x.size(1),
                        tiles,
                        w.n,
                        w.k,
                        y.size(2) - w.n);
    }

    /// A block's part: some rows of one head's matrix times some tokens' vectors.
    ///
    /// @param w the head's matrix
    /// @param from the first token's vector of the head
    /// @param to the first token's result of the head
    /// @param count tokens here
    /// @param tile number of the block's rows
    /// @param rest numbers to copy
    record Part(
            Reg w,
            Reg stride,
            Reg from,
            Reg fromToken,
            Reg to,
            Reg toToken,
            Reg count,
            Reg tile,
            Reg n,
            Reg k,
            Reg rest) {

        /// Adds the parameters, and finds the block's part.
        ///
        /// @param tokens of a block
        static Part of(PtxKernel k, int tokens) {
            Reg w = k.param("w", Type.U64);
            Reg wHead = k.param("w_head_bytes", Type.U64);
            Reg stride = k.param("w_stride_bytes", Type.U64);
            Reg from = k.param("x", Type.U64);
            Reg fromToken = k.param("x_token_bytes", Type.U64);
            Reg fromHead = k.param("x_head_bytes", Type.U64);
            Reg to = k.param("y", Type.U64);
            Reg toToken = k.param("y_token_bytes", Type.U64);
            Reg toHead = k.param("y_head_bytes", Type.U64);
            Reg all = k.param("tokens", Type.U32);
            Reg heads = k.param("heads", Type.U32);
            Reg tiles = k.param("tiles", Type.U32);
            Reg n = k.param("n", Type.U32);
            Reg depth = k.param("k", Type.U32);
            Reg rest = k.param("rest", Type.U32);

            k.comment("block = (token_tile * tiles + tile) * heads + head");
            Reg block = k.reg(Type.U32, "block", Special.CTAID_X);
            Reg head = PagedBlock.digit(k, "head", block, heads);
            Reg tile = PagedBlock.digit(k, "tile", block, tiles);
            Reg first = k.reg(Type.U32, "first_token");
            Reg count = k.reg(Type.U32, "tokens_here");
            Reg wide = k.reg(Type.U64, "wide");
            k.mul(first, block, tokens);
            k.sub(count, all, first);
            k.min(count, count, tokens);
            k.op("cvt.u64.u32", wide, head);
            k.mad(w, wide, wHead, w);
            k.mad(from, wide, fromHead, from);
            k.mad(to, wide, toHead, to);
            k.op("cvt.u64.u32", wide, first);
            k.mad(from, wide, fromToken, from);
            k.mad(to, wide, toToken, to);
            return new Part(w, stride, from, fromToken, to, toToken, count, tile, n, depth, rest);
        }

        /// Copies what lies behind the vectors to behind the results.
        void copyRest(PtxKernel k, Elements source, Elements target, Reg tid, int threads) {
            k.comment("what lies behind the vectors goes behind the results");
            Reg wide = k.reg(Type.U64, "token_wide");
            Reg row = k.reg(Type.U64, "rest_from");
            Reg at = k.reg(Type.U64, "rest_to");
            Reg column = k.reg(Type.U32, "column");
            Reg isFirst = k.compare(Compare.EQ, tile, 0);
            k.when(
                    isFirst,
                    () -> k.loop(
                            "token",
                            0,
                            count,
                            1,
                            token -> k.loop("i", tid, rest, threads, i -> {
                                k.op("cvt.u64.u32", wide, token);
                                k.mad(row, wide, fromToken, from);
                                k.add(column, i, this.k);
                                k.madWide(row, column, source.bytes(), row);
                                Reg[] value = source.load(k, "x", row);
                                k.mad(at, wide, toToken, to);
                                k.add(column, i, n);
                                k.madWide(at, column, target.bytes(), at);
                                target.store(k, at, value);
                            })));
        }
    }
}
