package dev.wok.kernel.ptx;

import dev.wok.emit.ptx.PtxKernel;
import dev.wok.emit.ptx.Reg;
import dev.wok.emit.ptx.Type;
import dev.wok.tensor.Tensor;
import java.util.Collections;
import java.util.List;

/// A tensor `[tokens, heads, dim]` as three parameters of a kernel, or `[tokens, heads]` of single
/// numbers.
///
/// @param base its address
/// @param tokenBytes from one token to the next
/// @param headBytes from one head to the next
record HeadRows(Reg base, Reg tokenBytes, Reg headBytes) {
    static HeadRows param(PtxKernel k, String name) {
        return new HeadRows(
                k.param(name, Type.U64),
                k.param(name + "_token_bytes", Type.U64),
                k.param(name + "_head_bytes", Type.U64));
    }

    /// Adds the arguments for [#param].
    static void add(List<Object> arguments, Tensor tensor) {
        int bytes = tensor.dtype().bytes();
        Collections.addAll(arguments, tensor, tensor.stride(0) * bytes, tensor.stride(1) * bytes);
    }

    /// @return the address of token 0 of a head
    Reg ofHead(PtxKernel k, String name, Reg head) {
        return Elements.row(k, name, base, head, headBytes);
    }

    /// @param ofHead from [#ofHead]
    /// @return the address of a token's row
    Reg at(PtxKernel k, String name, Reg ofHead, Reg token) {
        return Elements.row(k, name, ofHead, token, tokenBytes);
    }
}
