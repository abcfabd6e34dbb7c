package dev.wok.kernel.x86;

import dev.wok.device.Program;
import dev.wok.device.Workers;
import dev.wok.kernel.CrossEntropy;
import dev.wok.kernel.host.Tasks;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.Objects;

/* A row is read once for the loss, and replaced by its exponentials where its gradient is wanted, which are read once more
 * to get their factor.
 */
final class CrossEntropyX86 extends CrossEntropy {
    private static final String OP = "CrossEntropy";

    private final Workers workers;
    private final Arguments results;
    private final Program measure;
    private final Program measureAndKeep;
    private final Program scale;
    private final Buffer[] largest;

    CrossEntropyX86(Programs programs) {
        workers = programs.device().workers();
        results = new Arguments(programs.device());
        measure = Softmax.measure(programs, Softmax.Accuracy.IN_SUM);
        measureAndKeep = Softmax.measureAndKeep(programs, Softmax.Accuracy.IN_SUM);
        scale = Softmax.scale(programs);
        largest = new Buffer[workers.count()];
        for (int i = 0; i < largest.length; i++) {
            largest[i] = new Buffer(programs.device());
        }
    }

    @Override
    protected void measure(Tensor logits, Tensor targets, Tensor losses) {
        Span rows = Span.read(OP, logits);
        int vocab = logits.size(1);
        split(rows, targets, losses, (t, target, worker) -> {
            if (target >= 0) {
                measure.call(rows.row(t), vocab, results.address(worker));
                losses.set(t, loss(logits.get(t * logits.stride(0) + target), worker));
            }
        });
    }

    @Override
    protected void replace(Tensor logits, Tensor targets, double factor, Tensor losses) {
        Span rows = Span.written(OP, logits);
        int vocab = logits.size(1);
        split(rows, targets, losses, (t, target, worker) -> {
            if (target < 0) {
                logits.memory()
                        .asSlice(t * logits.stride(0) * Float.BYTES, (long) vocab * Float.BYTES)
                        .fill((byte) 0);
                return;
            }
            long row = rows.row(t);
            long own = t * logits.stride(0) + target;
            double logit = logits.get(own);
            MemorySegment pieces = largest[worker].of((long) Math.ceilDiv(vocab, Softmax.PIECE) * Float.BYTES);
            measureAndKeep.call(row, vocab, results.address(worker), pieces.address());
            losses.set(t, loss(logit, worker));
            float max = results.result(worker, 0);
            double share = factor / results.result(worker, 1);
            for (int from = 0; from < vocab; from += Softmax.PIECE) {
                float piece = pieces.getAtIndex(ValueLayout.JAVA_FLOAT, from / Softmax.PIECE);
                float each = (float) (share * Math.exp(piece - max));
                int count = Math.min(Softmax.PIECE, vocab - from);
                scale.call(row + (long) from * Float.BYTES, count, Arguments.bits(each));
            }
            logits.set(own, logits.get(own) - factor);
        });
    }

    private interface Row {
        void visit(long t, int target, int worker);
    }

    private void split(Span rows, Tensor targets, Tensor losses, Row body) {
        Span ids = Span.read(OP, targets, DType.I32);
        Span out = Span.written(OP, losses);
        int vocab = rows.tensor().size(1);
        Tasks.rows(workers, targets.size(0), 4L * vocab, (from, to, worker) -> {
            for (int t = from; t < to; t++) {
                int target = targets.getInt(t);
                if (target < 0) {
                    losses.set(t, 0);
                } else {
                    Objects.checkIndex(target, vocab);
                }
                body.visit(t, target, worker);
            }
        });
        Span.keep(rows, ids, out);
    }

    private double loss(double logit, int worker) {
        return results.result(worker, 0) - logit + Math.log(results.result(worker, 1));
    }
}
