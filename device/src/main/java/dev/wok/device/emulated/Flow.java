package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import org.jspecify.annotations.Nullable;

/// Where threads go next, and what they tell the scheduler.
final class Flow {
    private Flow() {}

    static @Nullable Step decode(Call call) {
        return switch (call.statement.opcode()) {
            case "bra" -> {
                call.take("uni");
                call.count(1);
                int target = call.label(0);
                yield (warp, lanes) -> warp.jump(target, lanes);
            }
            case "ret", "exit" -> {
                call.take("uni");
                call.count(0);
                yield Warp::exit;
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
