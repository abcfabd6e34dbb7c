package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.BadInput;
import java.io.IOException;
import java.net.Socket;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.Base64;
import java.util.List;
import java.util.OptionalInt;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.node.JsonNodeFactory;

/// Who may ask: keys, pages of elsewhere, HTTPS.
class AccessTest {
    private static final Endpoint ECHO = Served.post("/echo", call -> call.send(200, call.body()));
    private static final Endpoint HEALTH =
            new Endpoint("GET", Operations.HEALTH, call -> call.send(200, JsonNodeFactory.instance.objectNode()));

    @TempDir
    Path folder;

    private static Endpoint[] endpoints() {
        List<Endpoint> pages = new Pages().endpoints();
        Endpoint[] all = pages.toArray(new Endpoint[pages.size() + 2]);
        all[pages.size()] = ECHO;
        all[pages.size() + 1] = HEALTH;
        return all;
    }

    @Test
    void withoutAKeyNothingButHealthAnswers() {
        Path file = folder.resolve("keys");
        String key =
                Keys.add(file, "alice", new Keys.Limits(OptionalInt.of(2), OptionalInt.empty(), OptionalInt.empty()));
        try (Served served = Served.of(options -> options.withKeys(file), endpoints())) {
            assertEquals(200, served.get("/health").statusCode());
            for (String path :
                    List.of("/", "/status", "/pages/sse.js", "/echo", "/metrics", "/nothing", "/healthy", "//")) {
                for (String method : List.of("GET", "POST", "OPTIONS", "HEAD", "PUT")) {
                    HttpResponse<String> refused =
                            served.send(served.request(path).method(method, HttpRequest.BodyPublishers.ofString("{}")));
                    assertEquals(401, refused.statusCode(), method + " " + path);
                    assertEquals(
                            "Bearer realm=\"wok\"",
                            refused.headers().firstValue("www-authenticate").orElseThrow());
                }
            }
            HttpResponse<String> asked = served.send(served.request("/").header("accept", "text/html,*/*"));
            assertEquals(401, asked.statusCode());
            assertEquals(
                    "Basic realm=\"wok\"",
                    asked.headers().firstValue("www-authenticate").orElseThrow());
            String basic = Base64.getEncoder().encodeToString((":" + key).getBytes(StandardCharsets.UTF_8));
            assertEquals(
                    200,
                    served.send(served.request("/").header("authorization", "Basic " + basic))
                            .statusCode());
            for (int i = 0; i < 2; i++) {
                HttpResponse<String> answered = served.send(served.request("/echo")
                        .header("x-api-key", key)
                        .POST(HttpRequest.BodyPublishers.ofString("{}")));
                assertEquals(200, answered.statusCode());
            }
            HttpResponse<String> many = served.send(served.request("/echo")
                    .header("authorization", "Bearer " + key)
                    .POST(HttpRequest.BodyPublishers.ofString("{}")));
            assertEquals(429, many.statusCode());
            assertTrue(many.headers().firstValue("retry-after").isPresent());
        }
    }

    @Test
    void pagesOfElsewhereMayAskWhereTheyAreAllowed() {
        try (Served closed = Served.of(endpoints())) {
            HttpResponse<String> refused = closed.send(closed.request("/echo")
                    .header("origin", "https://app.example")
                    .POST(HttpRequest.BodyPublishers.ofString("{}")));
            assertEquals(403, refused.statusCode());
            assertTrue(
                    refused.headers().firstValue("access-control-allow-origin").isEmpty());
            HttpResponse<String> preflight = closed.send(closed.request("/echo")
                    .header("origin", "https://app.example")
                    .header("access-control-request-method", "POST")
                    .method("OPTIONS", HttpRequest.BodyPublishers.noBody()));
            assertEquals(405, preflight.statusCode());
        }
        try (Served open = Served.of(options -> options.withOrigins("https://app.example"), endpoints())) {
            HttpResponse<String> preflight = open.send(open.request("/echo")
                    .header("origin", "https://app.example")
                    .header("access-control-request-method", "POST")
                    .header("access-control-request-headers", "authorization,content-type")
                    .method("OPTIONS", HttpRequest.BodyPublishers.noBody()));
            assertEquals(204, preflight.statusCode());
            assertEquals(
                    "https://app.example",
                    preflight
                            .headers()
                            .firstValue("access-control-allow-origin")
                            .orElseThrow());
            assertEquals(
                    "POST",
                    preflight
                            .headers()
                            .firstValue("access-control-allow-methods")
                            .orElseThrow());
            assertEquals(
                    "authorization,content-type",
                    preflight
                            .headers()
                            .firstValue("access-control-allow-headers")
                            .orElseThrow());
            HttpResponse<String> answered = open.send(open.request("/echo")
                    .header("origin", "https://app.example")
                    .POST(HttpRequest.BodyPublishers.ofString("[]")));
            assertEquals(400, answered.statusCode());
            assertEquals(
                    "https://app.example",
                    answered.headers().firstValue("access-control-allow-origin").orElseThrow());
        }
    }

    @Test
    void namesOfElsewhereAreNotAnswered() throws IOException {
        try (Served served = Served.of(endpoints());
                Socket socket = served.socket()) {
            Served.write(socket, "GET / HTTP/1.1\r\nHost: evil.example:80\r\n\r\n");
            String answer = Served.readTo(socket, "}}");
            assertTrue(answer.startsWith("HTTP/1.1 403 ") && answer.contains("host_not_allowed"), answer);
        }
    }

    @Test
    void pagesAreFilesOfTheirFolder() {
        try (Served served = Served.of(endpoints())) {
            HttpResponse<String> page = served.get("/");
            assertEquals(200, page.statusCode());
            assertTrue(page.body().startsWith("<!doctype html>"), page.body());
            assertEquals(
                    "text/html; charset=utf-8",
                    page.headers().firstValue("content-type").orElseThrow());
            assertTrue(page.headers()
                    .firstValue("content-security-policy")
                    .orElseThrow()
                    .startsWith("default-src 'self'; "));
            HttpResponse<String> known = served.send(served.request("/")
                    .header("if-none-match", page.headers().firstValue("etag").orElseThrow()));
            assertEquals(304, known.statusCode());
            assertEquals("", known.body());
            assertEquals(200, served.get("/status").statusCode());
            assertEquals(200, served.get("/pages/sse.js").statusCode());
            for (String path : List.of(
                    "/pages/",
                    "/pages/none.js",
                    "/pages/..%2fServer.class",
                    "/pages/.",
                    "/pages/sse.js/",
                    "/pages/SSE.js",
                    "/pages/%2e%2e%2fpages%2fsse.js",
                    "/pages/sse.js%00",
                    "/pages//sse.js")) {
                assertEquals(404, served.get(path).statusCode(), path);
            }
        }
    }

    @Test
    void httpsHasTheKeyStoresCertificate() throws IOException, GeneralSecurityException, InterruptedException {
        Path store = folder.resolve("store.p12");
        Process keytool = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "keytool")
                                .toString(),
                        "-genkeypair",
                        "-alias",
                        "wok",
                        "-keyalg",
                        "EC",
                        "-dname",
                        "CN=localhost",
                        "-ext",
                        "SAN=dns:localhost",
                        "-storepass",
                        "secret",
                        "-keystore",
                        store.toString())
                .redirectErrorStream(true)
                .start();
        String printed = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertEquals(0, keytool.waitFor(), printed);
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(KeyStore.getInstance(store.toFile(), "secret".toCharArray()));
        SSLContext context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        Server.Tls tls = new Server.Tls(store, "secret");
        CountDownLatch gone = new CountDownLatch(1);
        Endpoint endless = Served.post("/endless", call -> {
            call.whenGone(gone::countDown);
            Call.Events events = call.events();
            while (gone.getCount() > 0) {
                events.send("more");
            }
            events.end();
        });
        try (Served served = Served.of(
                HttpClient.newBuilder().sslContext(context).build(), options -> options.withTls(tls), ECHO, endless)) {
            HttpResponse<String> answered = served.post("/echo", "{\"a\":1}");
            assertEquals("{\"a\":1}", answered.body());
            assertEquals(HttpClient.Version.HTTP_2, answered.version());
            HttpRequest request = served.request("/endless")
                    .POST(HttpRequest.BodyPublishers.noBody())
                    .build();
            served.client
                    .send(request, HttpResponse.BodyHandlers.ofInputStream())
                    .body()
                    .close();
            assertTrue(gone.await(20, TimeUnit.SECONDS), "a stream that the client resets is gone");
            assertEquals(200, served.post("/echo", "{}").statusCode());
        }
        assertEquals("Tls[keyStore=%s]".formatted(store), tls.toString());
        assertEquals(
                store + " could not be opened: expected a key store (PKCS12 or JKS) and its password.",
                refusal(new Server.Tls(store, "wrong")));
        Path missing = folder.resolve("missing");
        assertEquals("there is no file %s.".formatted(missing), refusal(new Server.Tls(missing, "")));
        Path text = Files.writeString(folder.resolve("text"), "no key store");
        assertEquals(
                text + " could not be opened: expected a key store (PKCS12 or JKS) and its password.",
                refusal(new Server.Tls(text, "")));
    }

    private static String refusal(Server.Tls tls) {
        return String.valueOf(assertThrows(BadInput.class, () -> Served.of(options -> options.withTls(tls)))
                .getMessage());
    }
}
