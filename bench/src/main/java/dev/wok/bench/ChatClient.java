package dev.wok.bench;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/// The lightest client of a server's chats: it streams one, notes when its pieces came, and understands nothing else.
final class ChatClient {
    private static final int OK = 200;
    private static final int TOO_MANY = 429;

    private final int port;

    ChatClient(int port) {
        this.port = port;
    }

    /// How a chat went.
    sealed interface Outcome {}

    /// It was answered.
    ///
    /// @param nanos when the pieces of the answer came, by [System#nanoTime]
    /// @param tokens of the answer, as the server counts
    record Answered(long[] nanos, int tokens) implements Outcome {}

    /// The server has no place.
    ///
    /// @param seconds after which to ask again
    record Refused(int seconds) implements Outcome {}

    /// @param text what went wrong
    record Failed(String text) implements Outcome {}

    /// Asks greedily for new tokens.
    ///
    /// @param content letters and spaces
    Outcome ask(String content, int tokens) {
        byte[] body = ("{\"messages\":[{\"role\":\"user\",\"content\":\"" + content + "\"}],\"max_tokens\":" + tokens
                        + ",\"temperature\":0,\"stream\":true,\"stream_options\":{\"include_usage\":true}}")
                .getBytes(StandardCharsets.UTF_8);
        String head = "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:" + port
                + "\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " + body.length
                + "\r\n\r\n";
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setTcpNoDelay(true);
            ByteArrayOutputStream request = new ByteArrayOutputStream();
            request.writeBytes(head.getBytes(StandardCharsets.US_ASCII));
            request.writeBytes(body);
            socket.getOutputStream().write(request.toByteArray());
            return read(new BufferedInputStream(socket.getInputStream()));
        } catch (IOException e) {
            return new Failed(e.toString());
        }
    }

    private static Outcome read(InputStream in) throws IOException {
        int status = Integer.parseInt(line(in).split(" ", 3)[1]);
        int retryAfter = 1;
        for (String header = line(in); !header.isEmpty(); header = line(in)) {
            if (header.toLowerCase(Locale.ROOT).startsWith("retry-after:")) {
                retryAfter = Integer.parseInt(
                        header.substring(header.indexOf(':') + 1).strip());
            }
        }
        if (status == TOO_MANY) {
            return new Refused(Math.max(1, retryAfter));
        }
        if (status != OK) {
            return new Failed(status + " " + new String(in.readAllBytes(), StandardCharsets.UTF_8));
        }
        return events(in);
    }

    private static Outcome events(InputStream in) throws IOException {
        List<Long> nanos = new ArrayList<>();
        int tokens = 0;
        for (String line = line(in); !line.equals("data: [DONE]"); line = line(in)) {
            if (!line.startsWith("data: ")) {
                continue;
            }
            if (line.contains("\"error\"")) {
                return new Failed(line);
            }
            int content = line.indexOf("content\":\"");
            if (content >= 0 && line.charAt(content + "content\":\"".length()) != '"') {
                nanos.add(System.nanoTime());
            }
            int used = line.indexOf("\"completion_tokens\":");
            if (used >= 0) {
                tokens = Integer.parseInt(
                        line.substring(used + "\"completion_tokens\":".length()).split("[^0-9]", 2)[0]);
            }
        }
        in.readAllBytes();
        return new Answered(nanos.stream().mapToLong(Long::longValue).toArray(), tokens);
    }

    private static String line(InputStream in) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int b = in.read(); b != '\n'; b = in.read()) {
            if (b < 0) {
                throw new EOFException("the connection was closed in the middle of an answer");
            }
            if (b != '\r') {
                line.append((char) b);
            }
        }
        return line.toString();
    }
}
