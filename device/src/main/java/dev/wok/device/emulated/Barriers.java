package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import org.jspecify.annotations.Nullable;

/// `bar barrier fence membar`.
final class Barriers {
    private Barriers() {}

    static @Nullable Step decode(Call call) {
        return switch (call.statement.opcode()) {
            case "membar" -> {
                if (call.take("proxy")) {
                    yield proxyFence(call);
                }
                boolean isWide = !call.need("cta", "gl", "sys").equals("cta");
                call.count(0);
                yield (warp, lanes) -> warp.ordering.fence(lanes, isWide);
            }
            case "fence" -> fence(call);
            case "bar" -> {
                if (call.take("warp")) {
                    call.need("sync");
                    yield warp(call);
                }
                call.take("cta");
                yield block(call, true);
            }
            default -> {
                if (call.take("cluster")) {
                    yield cluster(call);
                }
                call.take("cta");
                yield block(call, false);
            }
        };
    }

    private static Step proxyFence(Call call) {
        String proxy = call.need("alias", "async", "async::generic", "tensormap::generic");
        while (!call.peek().isEmpty()) {
            call.skip();
        }
        return proxy.startsWith("async")
                ? (warp, _) -> warp.ordering.fenceProxy()
                : (warp, lanes) -> warp.ordering.fence(lanes, true);
    }

    private static Step fence(Call call) {
        if (call.take("proxy")) {
            return proxyFence(call);
        }
        if (call.take("mbarrier_init")) {
            call.need("release");
            call.need("cluster");
            return (warp, lanes) -> warp.ordering.fence(lanes, true);
        }
        call.takeOne("sc", "acq_rel", "acquire", "release");
        if (call.takeOne("sync_restrict::shared::cta", "sync_restrict::shared::cluster") != null) {
            call.need("cluster");
            return (warp, lanes) -> warp.ordering.fence(lanes, true);
        }
        boolean isWide = !call.need("cta", "cluster", "gpu", "sys").equals("cta");
        call.count(0);
        return (warp, lanes) -> warp.ordering.fence(lanes, isWide);
    }

    private static Step warp(Call call) {
        call.count(1);
        Value mask = call.read(0, Type.B32);
        return (warp, lanes) -> {
            Shuffles.forEachMask(warp, lanes, mask, warp::arrive);
        };
    }

    private static Step block(Call call, boolean isAligned) {
        String what = call.need("sync", "arrive", "red");
        boolean isReduction = what.equals("red");
        boolean isEarly = call.take("aligned");
        String operator = isReduction ? call.need("popc", "and", "or") : "";
        // A reduction has been written with .aligned on either side of its operator.
        boolean aligned = isAligned || isEarly || isReduction && call.take("aligned");
        if (isReduction) {
            call.type(operator.equals("popc") ? Type.U32 : Type.PRED);
            return reduction(call, operator, aligned);
        }
        call.count(1, 2);
        Value number = call.read(0, Type.U32);
        Value count = call.count() > 1 ? call.read(1, Type.U32) : Value.of(0);
        boolean waits = what.equals("sync");
        if (!waits && call.count() < 2) {
            throw call.error("who arrives says how many threads the barrier expects");
        }
        return (warp, lanes) -> {
            if (!isAllowed(warp, lanes, aligned)) {
                return;
            }
            warp.block.arrive(
                    warp, lanes, (int) number.uniform(warp, lanes), count(warp, lanes, count, call), waits, 0, null);
        };
    }

    private static int count(Warp warp, int lanes, Value count, Call call) {
        int threads = (int) count.uniform(warp, lanes);
        if (threads == 0 && call.count() > 1 && count.slot() >= 0) {
            throw warp.fault(Kind.INVALID, lanes, "expect 0 threads at a barrier");
        }
        return threads;
    }

    private static boolean isAllowed(Warp warp, int lanes, boolean isAligned) {
        return !isAligned || warp.allTogether(lanes);
    }

    private static Step reduction(Call call, String operator, boolean isAligned) {
        call.count(3, 4);
        boolean counts = operator.equals("popc");
        int to = counts ? call.write(0, Type.U32) : call.predicate(call.operand(0));
        Value number = call.read(1, Type.U32);
        Value count = call.count() == 4 ? call.read(2, Type.U32) : Value.of(0);
        Call.Flag flag = call.flag(call.operand(call.count() - 1));
        return (warp, lanes) -> {
            if (!isAllowed(warp, lanes, isAligned)) {
                return;
            }
            int ones = Integer.bitCount(flag.at(warp) & lanes);
            int missing = warp.block.grid.threads();
            warp.block.arrive(
                    warp,
                    lanes,
                    (int) number.uniform(warp, lanes),
                    (int) count.uniform(warp, lanes),
                    true,
                    ones,
                    (total, expected) -> {
                        if (counts) {
                            for (int rest = lanes; rest != 0; rest &= rest - 1) {
                                warp.registers[to << 5 | Integer.numberOfTrailingZeros(rest)] = total;
                            }
                        } else {
                            // Threads that the last warp lacks count as come, and bring nothing.
                            boolean all = total == Math.min(expected, missing);
                            warp.setPredicate(to, lanes, (operator.equals("and") ? all : total > 0) ? -1 : 0);
                        }
                    });
        };
    }

    private static Step cluster(Call call) {
        boolean arrives = call.need("arrive", "wait").equals("arrive");
        String order = call.takeOne("release", "relaxed", "acquire");
        boolean isAligned = call.take("aligned");
        call.count(0);
        return (warp, lanes) -> {
            if (!isAllowed(warp, lanes, isAligned)) {
                return;
            }
            if (arrives) {
                for (int rest = lanes; rest != 0; rest &= rest - 1) {
                    int lane = Integer.numberOfTrailingZeros(rest);
                    if (warp.clusterPhase[lane] >= 0) {
                        throw warp.fault(
                                Kind.BARRIER,
                                1 << lane,
                                "arrive twice at the cluster's barrier without waiting between");
                    }
                    warp.clusterPhase[lane] = warp.block.cluster.barrier.phase();
                }
                warp.block.cluster.barrier.arrive(warp, lanes, !"relaxed".equals(order));
            } else {
                int first = Integer.numberOfTrailingZeros(lanes);
                int arrived = warp.clusterPhase[first];
                for (int rest = lanes; rest != 0; rest &= rest - 1) {
                    warp.clusterPhase[Integer.numberOfTrailingZeros(rest)] = -1;
                }
                warp.block.cluster.barrier.await(warp, lanes, arrived);
            }
        };
    }
}
