package dev.wok.kernel.x86;

import dev.wok.device.Program;
import dev.wok.device.Workers;
import dev.wok.kernel.CrossEntropy;
import dev.wok.tensor.DType;
import dev.wok.tensor.Tensor;
import java.util.Objects;

/* A row is read once for the loss, and once more to be replaced by its gradient. */
final class CrossEntropyX86 extends CrossEntropy {
    private static final String OP = "CrossEntropy";

    private final Workers workers;
    private final Arguments results;
    private final Program measure;
    private final Program exponentials;

    CrossEntropyX86(Programs programs) {
        workers = programs.device().workers();
        results = new Arguments(programs.device());
        measure = Softmax.measure(programs, Softmax.Accuracy.IN_SUM);
        exponentials = Softmax.exponentials(programs, Softmax.Accuracy.IN_SUM);
    }

    @Override
    protected void measure(Tensor logits, Tensor targets, Tensor losses) {
        Span rows = Span.read(OP, logits);
        int vocab = logits.size(1);
        split(rows, targets, losses, (t, target, worker) -> {
            if (target >= 0) {
                measure.call(rows.row(t), vocab, results.address(worker));
                losses.set(t, loss(logits, t, target, worker));
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
            measure.call(row, vocab, results.address(worker));
            losses.set(t, loss(logits, t, target, worker));
            float max = results.result(worker, 0);
            float share = (float) (factor / results.result(worker, 1));
            exponentials.call(row, row, vocab, Arguments.bits(max), Arguments.bits(share));
            long own = t * logits.stride(0) + target;
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

    private double loss(Tensor logits, long t, int target, int worker) {
        double own = logits.get(t * logits.stride(0) + target);
        return results.result(worker, 0) - own + Math.log(results.result(worker, 1));
    }
}
