package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import org.jspecify.annotations.Nullable;

/// Where threads go next, and what they tell the scheduler.
final class Flow {
    private Flow() {}

    /// `brx.idx`: each lane branches to one of a list of labels.
    private static Step choose(Call call) {
        call.need("idx");
        call.take("uni");
        call.count(2);
        Value index = call.read(0, Type.U32);
        int[] targets = call.targets(1);
        return (warp, lanes) -> {
            for (int rest = lanes; rest != 0; ) {
                long chosen = index.uniform(warp, rest) & 0xFFFF_FFFFL;
                int same = 0;
                for (int others = rest; others != 0; others &= others - 1) {
                    int lane = Integer.numberOfTrailingZeros(others);
                    same |= (index.at(warp, lane) & 0xFFFF_FFFFL) == chosen ? 1 << lane : 0;
                }
                if (chosen >= targets.length) {
                    throw warp.fault(Kind.INVALID, same, "branch to target %d of %d".formatted(chosen, targets.length));
                }
                warp.jump(targets[(int) chosen], same);
                rest &= ~same;
            }
        };
    }

    static @Nullable Step decode(Call call) {
        return switch (call.statement.opcode()) {
            case "bra" -> {
                call.take("uni");
                call.count(1);
                int target = call.label(0);
                yield (warp, lanes) -> warp.jump(target, lanes);
            }
            case "brx" -> choose(call);
            case "ret", "exit" -> {
                call.take("uni");
                call.count(0);
                int end = call.statement.opcode().equals("ret") ? call.decoder().end() : -1;
                yield end < 0 ? Warp::exit : (warp, lanes) -> warp.jump(end, lanes);
            }
            case "trap", "brkpt" -> {
                call.count(0);
                yield (warp, lanes) -> {
                    throw warp.fault(Kind.INVALID, lanes, "reach a trap");
                };
            }
            case "nanosleep" -> {
                call.type(Type.U32);
                call.count(1);
                call.read(0, Type.U32);
                yield (warp, _) -> warp.yield();
            }
            case "griddepcontrol" -> {
                call.need("launch_dependents", "wait");
                call.count(0);
                yield (_, _) -> {};
            }
            case "setmaxnreg" -> {
                call.need("inc", "dec");
                call.need("sync");
                call.need("aligned");
                call.type(Type.U32);
                long count = call.constant(0);
                if (count < 24 || count > 256 || count % 8 != 0) {
                    throw call.error("setmaxnreg takes a multiple of 8 from 24 to 256, not %d".formatted(count));
                }
                yield Warp::allTogether;
            }
            case "pmevent" -> {
                call.take("mask");
                call.constant(0);
                yield (_, _) -> {};
            }
            default -> null;
        };
    }
}
