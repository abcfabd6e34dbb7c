package dev.wok.kernel.x86;
import dev.wok.kernel.Precision;
import dev.wok.tensor.Tensor;
import java.util.List;
final class AttentionGradient {
    AttentionGradient(Gemm gemm, Precision precision) {}
    record Call(Tensor q, Tensor k, Tensor v, float scale, Tensor out, Tensor lse, Tensor dOut, Tensor dq, Tensor dk, Tensor dv) {}
    void run(Call call, List<Segment> segments) { throw new UnsupportedOperationException(); }
}
