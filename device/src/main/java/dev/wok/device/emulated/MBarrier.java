package dev.wok.device.emulated;

import dev.wok.device.PtxFault.Kind;
import java.util.ArrayDeque;
import java.util.Deque;

/// A barrier in shared memory that counts arrivals and bytes of asynchronous copies (PTX ISA, mbarrier).
///
/// Copies land when somebody asks whether they have: as late as can be, so that who does not ask reads nothing new.
final class MBarrier {
    static final int BYTES = 8;
    static final int MOST = (1 << 20) - 1;

    final Cluster cluster;
    final Region region;
    final long offset;
    private int count;

    /// Who the copies that it counts are for [Races]: the phase that they end in is their time.
    final int agent;

    /// Their number in [Races].
    final int who;

    private int pending;
    private long bytes;
    private int phase;
    private Clock arriving = new Clock();
    private final Clock done = new Clock();
    private final Deque<Runnable> inFlight = new ArrayDeque<>();

    MBarrier(Cluster cluster, Region region, long offset, int count) {
        this.cluster = cluster;
        this.region = region;
        this.offset = offset;
        this.count = count;
        pending = count;
        agent = cluster.newAsynchronousAgent();
        who = cluster.grid.races.add(cluster.id, -1, agent);
    }

    int phase() {
        return phase;
    }

    int pending() {
        return pending;
    }

    String state() {
        return "%d of %d arrivals and %d bytes missing, phase %d".formatted(pending, count, bytes, phase);
    }

    boolean isBusy() {
        return !inFlight.isEmpty();
    }

    /// @param lands what a copy does when it lands
    void expectLanding(Runnable lands) {
        inFlight.add(lands);
    }

    /// Lets a copy land.
    ///
    /// @return whether there was one
    boolean land() {
        Runnable lands = inFlight.poll();
        if (lands == null) {
            return false;
        }
        lands.run();
        cluster.grid.progress();
        return true;
    }

    void expectBytes(Warp warp, int lane, long more) {
        bytes += more;
        if (Math.abs(bytes) > MOST) {
            throw warp.fault(Kind.INVALID, 1 << lane, "expect more bytes at an mbarrier than it can count");
        }
        check();
    }

    /// One more arrival is waited for in this phase.
    void addPending(Warp warp, int lane) {
        if (++pending > MOST) {
            throw warp.fault(Kind.INVALID, 1 << lane, "let an mbarrier wait for more arrivals than it can count");
        }
    }

    /// Later phases wait for fewer arrivals.
    void drop(Warp warp, int lane, int times) {
        if (times > count) {
            throw warp.fault(Kind.BARRIER, 1 << lane, "drop %d arrivals of %d".formatted(times, count));
        }
        count -= times;
    }

    /// @param told what whoever arrives has done before
    void arrive(Warp warp, int lane, int times, Clock told) {
        if (times < 1 || times > pending) {
            throw warp.fault(
                    Kind.BARRIER,
                    1 << lane,
                    "arrive %d times at an mbarrier that waits for %d".formatted(times, pending));
        }
        arriving.join(told);
        pending -= times;
        check();
    }

    void landed(long landed) {
        bytes -= landed;
        check();
    }

    private void check() {
        if (pending == 0 && bytes == 0) {
            phase++;
            pending = count;
            done.join(arriving);
            done.set(agent, phase);
            arriving = new Clock();
            cluster.grid.progress();
        }
    }

    /// @return whether the phase with this parity is over
    boolean isOver(int parity) {
        return (phase & 1) != parity;
    }

    Clock done() {
        return done;
    }
}
