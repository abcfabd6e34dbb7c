package dev.wok.fabric;

import java.io.EOFException;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardSocketOptions;
import java.nio.ByteBuffer;
import java.nio.channels.SocketChannel;
import java.util.concurrent.locks.ReentrantLock;

/// A connected socket that messages travel on. One thread may send while another receives; several may send.
final class Line implements AutoCloseable {
    private final SocketChannel channel;
    private final String peer;
    private final ReentrantLock sending = new ReentrantLock();

    Line(SocketChannel channel) throws IOException {
        this.channel = channel;
        if (channel.getRemoteAddress() instanceof InetSocketAddress address) {
            channel.setOption(StandardSocketOptions.TCP_NODELAY, true);
            peer = Meeting.text(address);
        } else {
            peer = "a process of this machine";
        }
    }

    SocketChannel channel() {
        return channel;
    }

    /// @return the other side's address, for people
    String peer() {
        return peer;
    }

    void send(Message message) throws IOException {
        ByteBuffer bytes = MessageLayout.encode(message);
        sending.lock();
        try {
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        } finally {
            sending.unlock();
        }
    }

    /// Waits for the next message.
    ///
    /// @throws MessageLayout.Malformed where what comes is none
    /// @throws EOFException where the other side ends
    Message receive() throws IOException {
        ByteBuffer header = read(MessageLayout.HEADER);
        return MessageLayout.decode(header, read(MessageLayout.length(header)));
    }

    /// Waits for the next message, which must be of this type.
    <T extends Message> T receive(Class<T> type) throws IOException {
        Message message = receive();
        if (!type.isInstance(message)) {
            throw new MessageLayout.Malformed(
                    "it sent %s where %s is due".formatted(message.getClass().getSimpleName(), type.getSimpleName()));
        }
        return type.cast(message);
    }

    private ByteBuffer read(int bytes) throws IOException {
        ByteBuffer buffer = ByteBuffer.allocate(bytes);
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                throw new EOFException();
            }
        }
        return buffer.flip();
    }

    @Override
    public void close() throws IOException {
        channel.close();
    }
}
