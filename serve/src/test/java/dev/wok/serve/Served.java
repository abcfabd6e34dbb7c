package dev.wok.serve;

import dev.wok.testkit.RecordingProgress;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.Socket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.UnaryOperator;

/// A transport with endpoints that a test gives, without models, and ways to ask it.
final class Served implements AutoCloseable {
    private static final int SOCKET_MILLIS = 20_000;
    private static final int AT_ONCE = 2;

    final Metrics metrics = new Metrics();
    final AtomicBoolean draining = new AtomicBoolean();
    final Transport transport;
    final HttpClient client;

    /// What was logged.
    final RecordingProgress said = new RecordingProgress();

    private final Server.Options options;

    private Served(UnaryOperator<Server.Options> change, List<Endpoint> endpoints, HttpClient client) {
        options = change.apply(Server.Options.defaults().withPort(0).withProgress(said));
        this.client = client;
        Admission admission = new Admission(() -> AT_ONCE, options.limits().queue(), metrics, System::nanoTime);
        transport = Transport.start(options, endpoints, new NoModels(), admission, metrics, draining);
    }

    static Served of(UnaryOperator<Server.Options> change, Endpoint... endpoints) {
        return new Served(change, List.of(endpoints), HttpClient.newHttpClient());
    }

    static Served of(Endpoint... endpoints) {
        return of(options -> options, endpoints);
    }

    /// Over HTTPS, with a client that knows the certificate.
    static Served of(HttpClient client, UnaryOperator<Server.Options> change, Endpoint... endpoints) {
        return new Served(change, List.of(endpoints), client);
    }

    static Endpoint get(String path, Route route) {
        return new Endpoint("GET", path, route);
    }

    static Endpoint post(String path, Route route) {
        return new Endpoint("POST", path, route);
    }

    HttpRequest.Builder request(String path) {
        String scheme = options.tls().isPresent() ? "https" : "http";
        return HttpRequest.newBuilder(URI.create("%s://localhost:%d%s".formatted(scheme, transport.port(), path)))
                .timeout(Duration.ofMillis(SOCKET_MILLIS));
    }

    HttpResponse<String> get(String path) {
        return send(request(path));
    }

    HttpResponse<String> post(String path, String body) {
        return send(request(path)
                .header("content-type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body)));
    }

    HttpResponse<String> send(HttpRequest.Builder request) {
        try {
            return client.send(request.build(), HttpResponse.BodyHandlers.ofString());
        } catch (IOException e) {
            throw new AssertionError(e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new AssertionError(e);
        }
    }

    Socket socket() throws IOException {
        Socket socket = new Socket("localhost", transport.port());
        socket.setSoTimeout(SOCKET_MILLIS);
        return socket;
    }

    static void write(Socket socket, String text) throws IOException {
        socket.getOutputStream().write(text.getBytes(StandardCharsets.UTF_8));
        socket.getOutputStream().flush();
    }

    /// Reads until a text has come or the connection ends.
    static String readTo(Socket socket, String end) throws IOException {
        InputStream in = socket.getInputStream();
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        for (int b = in.read(); b >= 0; b = in.read()) {
            bytes.write(b);
            if (bytes.toString(StandardCharsets.UTF_8).endsWith(end)) {
                break;
            }
        }
        return bytes.toString(StandardCharsets.UTF_8);
    }

    /// Reads until the connection ends.
    static String readAll(Socket socket) throws IOException {
        return new String(socket.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
    }

    @Override
    public void close() {
        transport.drain(Duration.ZERO);
        client.close();
    }

    private static final class NoModels implements Models {
        @Override
        public List<String> names() {
            return List.of();
        }

        @Override
        public Listed listed(String name) {
            return new Listed(model(name).name(), 0);
        }

        @Override
        public Named model(String name) {
            throw new Refusal(404, "invalid_request_error", "there is no model.", "model", "model_not_found");
        }
    }
}
