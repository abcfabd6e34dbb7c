package dev.wok.fabric;

import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.io.IOException;
import java.net.BindException;
import java.net.InetSocketAddress;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;

/// Where rank 0 listens for the other ranks of its group, open before they are started, so that its port can be told
/// to them.
public final class Rendezvous implements AutoCloseable {
    private static final long PAUSE = TimeUnit.MILLISECONDS.toNanos(500);

    private final Joining joining;
    private final Door door;
    private final String address;
    private boolean joined;

    private Rendezvous(Joining joining, Door door, String address) {
        this.joining = joining;
        this.door = door;
        this.address = address;
    }

    /// Begins to listen.
    ///
    /// @param membership of rank 0
    /// @throws BadInput where nobody can listen there
    public static Rendezvous open(Membership membership, Progress progress) {
        Joining joining = new Joining(membership, progress);
        Meeting meeting = Meeting.of(membership.rendezvous(), membership.rank());
        if (membership.rank() != 0) {
            throw new IllegalArgumentException("rank %d opens no rendezvous".formatted(membership.rank()));
        }
        InetSocketAddress at = known(meeting, membership);
        try {
            Door door = door(joining, at);
            return new Rendezvous(
                    joining, door, Meeting.text(meeting.host(), door.address().getPort()));
        } catch (IOException e) {
            throw new BadInput(
                    "rank 0 cannot listen at %s: %s; choose another port."
                            .formatted(membership.rendezvous(), e.getMessage()),
                    e);
        }
    }

    /// The name may come to be known only when this process is there, as that of a pod.
    private static InetSocketAddress known(Meeting meeting, Membership membership) {
        long began = System.nanoTime();
        InetSocketAddress at = meeting.address();
        while (at.isUnresolved()) {
            if (System.nanoTime() - began >= membership.patience().toNanos()) {
                throw new BadInput("the rendezvous is %s; no such host is known.".formatted(membership.rendezvous()));
            }
            LockSupport.parkNanos(PAUSE);
            at = meeting.address();
        }
        return at;
    }

    /// The address may be one that leads here without being this machine's, as that of a service is: then rank 0
    /// listens at all of the machine's.
    private static Door door(Joining joining, InetSocketAddress at) throws IOException {
        try {
            return joining.door(at, Joining.GREETING);
        } catch (BindException e) {
            if (String.valueOf(e.getMessage()).contains("in use")) {
                throw e;
            }
            return joining.door(new InetSocketAddress(at.getPort()), Joining.GREETING);
        }
    }

    /// @return `host:port` for the others
    public String address() {
        return address;
    }

    /// Waits until all ranks are here. What listens is the group's from then on.
    ///
    /// @throws BadInput where the group cannot be joined because of what was given
    /// @throws Departed where a rank ends meanwhile or does not come
    public Fabric join() {
        try {
            Fabric fabric = joining.lead(door);
            joined = true;
            return fabric;
        } catch (IOException e) {
            throw new BadInput("the group could not be joined: %s.".formatted(e.getMessage()), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new BadInput("joining the group was interrupted.", e);
        }
    }

    /// Stops listening where the group has not been joined; a rank that waits for it in [#join] waits no longer.
    @Override
    public void close() {
        if (!joined) {
            try {
                door.giveUp();
            } catch (IOException e) {
                throw new BadInput(
                        "the rendezvous at %s could not be closed: %s.".formatted(address, e.getMessage()), e);
            }
        }
    }
}
