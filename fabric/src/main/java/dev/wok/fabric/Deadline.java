package dev.wok.fabric;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.Channel;
import java.time.Duration;

/// Closes a channel that is not done in time; whoever reads from it then finds it closed.
final class Deadline implements AutoCloseable {
    private final Thread timer;
    private volatile boolean passed;

    Deadline(Channel channel, Duration limit) {
        timer = Thread.startVirtualThread(() -> {
            try {
                Thread.sleep(limit);
                passed = true;
                channel.close();
            } catch (InterruptedException _) {
                Thread.currentThread().interrupt();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        });
    }

    boolean passed() {
        return passed;
    }

    @Override
    public void close() {
        timer.interrupt();
    }
}
