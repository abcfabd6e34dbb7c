package dev.wok.kernel.x86;

import static dev.wok.emit.x86.Reg.R10;
import static dev.wok.emit.x86.Reg.RAX;
import static dev.wok.emit.x86.Reg.RDI;
import static dev.wok.emit.x86.Reg.RDX;
import static dev.wok.emit.x86.Reg.RSI;

import dev.wok.device.Program;
import dev.wok.emit.x86.Vec;
import dev.wok.kernel.host.HostRouting;
import dev.wok.tensor.Tensor;

final class RoutingX86 extends HostRouting {
    private static final String OP = "Routing";

    private final Arguments results;
    private final Program sigmoid;
    private final Program measure;
    private final Program exponentials;

    RoutingX86(Programs programs) {
        super(programs.device().workers());
        results = new Arguments(programs.device());
        sigmoid = programs.get(Scoring.SIGMOID, RoutingX86::writeSigmoid);
        measure = Softmax.measure(programs, Softmax.Accuracy.EXACT);
        exponentials = Softmax.exponentials(programs, Softmax.Accuracy.EXACT);
    }

    private static void writeSigmoid(Lanes lanes) {
        lanes.each(RAX, RDX, R10, 2, copy -> {
            Vec value = lanes.v(3 * copy);
            lanes.load(value, lanes.at(RDI, RAX, copy));
            lanes.sigmoid(value, lanes.v(3 * copy + 1), lanes.v(3 * copy + 2));
            lanes.store(lanes.at(RSI, RAX, copy), value);
        });
        lanes.end();
    }

    @Override
    protected void score(Scoring scoring, Tensor logits, Tensor scores, int worker) {
        Span in = Span.read(OP, logits);
        Span out = Span.written(OP, scores);
        int experts = scores.size(1);
        for (int t = 0; t < scores.size(0); t++) {
            switch (scoring) {
                case SIGMOID -> sigmoid.call(in.row(t), out.row(t), experts);
                case SOFTMAX -> {
                    measure.call(in.row(t), experts, results.address(worker));
                    float max = results.result(worker, 0);
                    float share = 1 / results.result(worker, 1);
                    exponentials.call(in.row(t), out.row(t), experts, Arguments.bits(max), Arguments.bits(share));
                }
            }
        }
        Span.keep(in, out);
    }
}
