package dev.wok.fabric;

import dev.wok.device.Ucx;
import dev.wok.device.UcxException;
import dev.wok.notice.BadInput;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;

/// This rank in UCX: one worker, which all its links share. It goes with the last of them.
final class UcxNode implements AutoCloseable {
    private final Ucx ucx = Ucx.open();
    private final Arena arena = Arena.ofShared();
    /// Links, and who opened this.
    private int users = 1;

    Ucx ucx() {
        return ucx;
    }

    /// @return by which other ranks reach this one
    synchronized byte[] address() {
        return ucx.address();
    }

    /// @param there the peer's address
    /// @throws BadInput where it cannot be reached from here
    synchronized UcxLink link(byte[] there, Peer peer) {
        long endpoint;
        try {
            endpoint = ucx.connect(there);
        } catch (UcxException e) {
            throw new BadInput(
                    "UCX finds no way from rank %d to rank %d (%s); see ucx_info -d, or choose another transport."
                            .formatted(peer.self(), peer.rank(), e.getMessage()),
                    e);
        }
        users++;
        return new UcxLink(this, endpoint, peer);
    }

    /// @return memory that stays until the worker is gone
    MemorySegment allocate(long bytes) {
        return arena.allocate(bytes, FrameLayout.LINE);
    }

    /// One user less.
    @Override
    public synchronized void close() {
        users--;
        if (users == 0) {
            ucx.close();
            arena.close();
        }
    }
}
