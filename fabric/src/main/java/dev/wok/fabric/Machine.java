package dev.wok.fabric;

import dev.wok.fabric.Message.Seat;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.file.Files;
import java.nio.file.Path;

/// This machine, as ranks tell each other of it.
final class Machine {
    /// A number that Linux chooses when it starts.
    private static final Path BOOT = Path.of("/proc/sys/kernel/random/boot_id");

    private Machine() {}

    /// @param listening where this process listens
    static Seat seat(InetSocketAddress listening) {
        return new Seat(
                boot() + " " + host(),
                host(),
                ProcessHandle.current().pid(),
                listening.getAddress().getHostAddress(),
                listening.getPort());
    }

    private static String boot() {
        try {
            return Files.readString(BOOT).strip();
        } catch (IOException _) {
            return "no boot id";
        }
    }

    private static String host() {
        try {
            return InetAddress.getLocalHost().getHostName();
        } catch (UnknownHostException _) {
            return "a machine without a name";
        }
    }
}
