package dev.wok.fabric;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.channels.ServerSocketChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/// A Unix socket that a rank listens at until another has come, in a folder of its own that goes with it.
///
/// @param path of the socket
record UnixSocket(ServerSocketChannel server, Path path) implements AutoCloseable {
    /// @param parent where its folder is made
    /// @throws BadInput where none can be made
    static UnixSocket open(Path parent) {
        Path path = parent;
        try {
            path = Files.createTempDirectory(parent, "wok-").resolve("socket");
            ServerSocketChannel server = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
            try {
                server.bind(UnixDomainSocketAddress.of(path));
                return new UnixSocket(server, path);
            } catch (IOException e) {
                server.close();
                Files.delete(folder(path));
                throw e;
            }
        } catch (IOException e) {
            throw new BadInput(refusal(path, e), e);
        }
    }

    /// @return why ranks cannot meet there, and what to do
    static String refusal(Object path, Exception cause) {
        return "no Unix socket can be had at %s (%s); give a short folder that all ranks of the machine see, WOK_JAVA_OPTIONS=-Djava.io.tmpdir=/tmp, or take another transport."
                .formatted(path, cause.getMessage());
    }

    private static Path folder(Path path) {
        return Objects.requireNonNull(path.getParent());
    }

    @Override
    public void close() throws IOException {
        server.close();
        Files.deleteIfExists(path);
        Files.deleteIfExists(folder(path));
    }
}
