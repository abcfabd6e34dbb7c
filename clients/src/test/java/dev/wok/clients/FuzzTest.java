package dev.wok.clients;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.serve.Keys;
import dev.wok.serve.Server;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.net.SocketException;
import java.net.SocketTimeoutException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.ObjectMapper;
import tools.jackson.databind.node.ArrayNode;
import tools.jackson.databind.node.ObjectNode;

/// Requests that are broken in many ways: the answer is a 4xx, or a 2xx where a request happens to be valid, and
/// nothing is stuck afterwards.
class FuzzTest {
    private static final ObjectMapper JSON = new ObjectMapper();
    private static final int MOST_READ = 20_000;
    private static final int PATIENCE_MILLIS = 90_000;
    private static final String RAW = "@raw@";

    private static final List<String> PATHS = List.of(
            "/v1/chat/completions",
            "/chat/completions",
            "/beta/chat/completions",
            "/v1/completions",
            "/beta/completions",
            "/v1/responses",
            "/v1/messages",
            "/v1/messages/count_tokens",
            "/v1/embeddings",
            "/tokenize",
            "/detokenize",
            "/apply-template");

    private static final List<String> OTHER_PATHS = List.of(
            "/",
            "/status",
            "/status.json",
            "/health",
            "/metrics",
            "/v1/models",
            "/v1/models/qwen",
            "/v1/models/%F0%9F%A6%9C",
            "/v1/models/../../etc/passwd",
            "/..%2f..%2fetc/passwd",
            "/v1/%00",
            "/v1/models/%zz",
            "//",
            "/v1/chat/completions/",
            "*",
            "http://elsewhere/v1/models");

    /// A valid request of each kind, with most fields that there are.
    private static final List<String> BODIES = List.of("""
            {"model": "qwen", "messages": [{"role": "system", "content": "Be brief."},
              {"role": "user", "content": [{"type": "text", "text": "Hello!"}]},
              {"role": "assistant", "content": null, "reasoning_content": "x", "tool_calls": [{"id": "call_1",
                "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}]},
              {"role": "tool", "tool_call_id": "call_1", "content": "sunny"}],
             "max_tokens": 8, "temperature": 0.5, "top_p": 0.9, "top_k": 10, "min_p": 0.1, "seed": 1, "n": 2,
             "stop": ["parrot"], "stream": true, "stream_options": {"include_usage": true}, "logprobs": true,
             "top_logprobs": 2, "logit_bias": {"5": -10}, "presence_penalty": 0.1, "frequency_penalty": 0.1,
             "repetition_penalty": 1.1, "user": "me", "parallel_tool_calls": true, "tool_choice": "auto",
             "tools": [{"type": "function", "function": {"name": "get_weather", "strict": true, "parameters":
               {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"],
                "additionalProperties": false}}}], "thinking": {"type": "enabled"}, "reasoning_effort": "low",
             "chat_template_kwargs": {"x": 1}}""", """
            {"model": "deepseek", "messages": [{"role": "user", "content": "Who was Ada? Answer in JSON."}],
             "max_completion_tokens": 8, "response_format": {"type": "json_schema", "json_schema": {"name": "p",
               "strict": true, "schema": {"type": "object", "properties": {"name": {"type": "string"}},
               "required": ["name"], "additionalProperties": false}}}}""", """
            {"model": "qwen", "prompt": ["la la", "la"], "max_tokens": 4, "echo": true, "logprobs": 2, "n": 1,
             "stop": "x", "stream": false, "best_of": 1}""", """
            {"model": "deepseek", "prompt": "a = ", "suffix": " * 7", "max_tokens": 4, "stream": true}""", """
            {"model": "qwen", "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hello!"}]}],
             "instructions": "Be brief.", "max_output_tokens": 8, "stream": true, "store": false,
             "reasoning": {"effort": "low"}, "text": {"format": {"type": "text"}}, "tool_choice": "auto",
             "tools": [{"type": "function", "name": "f", "parameters": {"type": "object"}}]}""", """
            {"model": "deepseek", "max_tokens": 8, "system": [{"type": "text", "text": "Be brief."}],
             "messages": [{"role": "user", "content": "Hello!"}, {"role": "assistant", "content": [{"type":
               "tool_use", "id": "t", "name": "f", "input": {}}]}, {"role": "user", "content": [{"type":
               "tool_result", "tool_use_id": "t", "content": "x"}]}], "stream": true, "stop_sequences": ["x"],
             "tools": [{"name": "f", "input_schema": {"type": "object"}}], "tool_choice": {"type": "auto"},
             "thinking": {"type": "enabled", "budget_tokens": 1024}, "temperature": 1}""", """
            {"model": "qwen", "input": ["Hello!", "x"], "encoding_format": "base64", "dimensions": 8}""", """
            {"model": "qwen", "content": "Hello!", "prompt": "Hello!", "tokens": [1, 2], "add_special": true,
             "messages": [{"role": "user", "content": "Hello!"}]}""");

    private static final List<String> RAW_VALUES = List.of(
            "1e999",
            "-1e999",
            "99999999999999999999999999",
            "-1",
            "0.5",
            "1e-400",
            "NaN",
            "2147483648",
            "9223372036854775807",
            "\"\\ud800\"",
            "\"\\u0000\"",
            "1" + "0".repeat(5000),
            "[".repeat(2000) + "]".repeat(2000),
            "{\"a\":".repeat(2000) + "1" + "}".repeat(2000),
            "\"" + "x".repeat(4000) + "\"",
            "[[1], \"a\"]",
            "{\"type\": \"object\", \"$ref\": \"#\"}",
            "{\"type\": \"string\", \"pattern\": \"(a+)+$\"}",
            "true",
            "null",
            "\"\"",
            "[]",
            "{}");

    private final Random random;
    private int port;

    FuzzTest() {
        random = new Random(Long.getLong("wok.seed", 8));
    }

    private static Server.Options hurried(Server.Options options) {
        return options.withLimits(Server.Limits.defaults()
                .withBody(Duration.ofMillis(300))
                .withBodyBytes(100_000)
                .withAnswer(Duration.ofSeconds(60)));
    }

    @Test
    void brokenRequestsAreRefused() throws IOException {
        fuzz(300);
    }

    @Test
    @Tag("slow")
    void tenThousandBrokenRequestsAreRefused() throws IOException {
        fuzz(10_000);
    }

    @Test
    void withoutAKeyNothingButHealthAnswers(@TempDir Path folder) throws IOException {
        Path keys = folder.resolve("keys");
        Keys.add(keys, "one", Keys.Limits.none());
        try (Parrots parrots = Parrots.serve(options -> hurried(options).withKeys(keys))) {
            port = parrots.port();
            for (String path : OTHER_PATHS) {
                for (String method : List.of("GET", "POST", "OPTIONS", "HEAD")) {
                    int status = ask(method, path, "", new byte[0]);
                    assertTrue(
                            path.equals("/health") || status >= 400 && status < 500,
                            () -> "%s %s: %d".formatted(method, path, status));
                }
            }
            assertEquals(200, ask("GET", "/health", "", new byte[0]));
            assertEquals(401, ask("GET", "/v1/models", "Authorization: Bearer wok-no\r\n", new byte[0]));
            for (String path : PATHS) {
                assertEquals(401, ask("POST", path, "", any(BODIES).getBytes(StandardCharsets.UTF_8)), path);
            }
            for (int i = 0; i < 100; i++) {
                int status = one();
                assertTrue(status == 0 || status >= 400 && status < 500, () -> "status " + status);
            }
        }
    }

    private void fuzz(int requests) throws IOException {
        try (Parrots parrots = Parrots.serve(FuzzTest::hurried)) {
            port = parrots.port();
            int answered = 0;
            int refused = 0;
            for (int i = 0; i < requests; i++) {
                int status = one();
                answered += status / 100 == 2 ? 1 : 0;
                refused += status / 100 == 4 ? 1 : 0;
                if (i % 100 == 99) {
                    Parrots.tokensWhenIdle(parrots.qwen());
                    Parrots.tokensWhenIdle(parrots.deepseek());
                    assertEquals(200, ask("POST", PATHS.getFirst(), "", hello()));
                }
            }
            int both = Math.min(answered, refused);
            assertTrue(both > requests / 20, "answered %d, refused %d of %d".formatted(answered, refused, requests));
        }
    }

    private static byte[] hello() {
        return "{\"messages\": [{\"role\": \"user\", \"content\": \"Hello!\"}], \"max_tokens\": 5}"
                .getBytes(StandardCharsets.UTF_8);
    }

    private <T> T any(List<T> list) {
        return list.get(random.nextInt(list.size()));
    }

    /// @return the status; 0 where the connection was closed without an answer
    private int one() throws IOException {
        return switch (random.nextInt(10)) {
            case 0 -> ask(method(), any(OTHER_PATHS), headers(), random.nextBoolean() ? new byte[0] : hello());
            case 1 -> ask("POST", any(PATHS), "", damaged(any(BODIES).getBytes(StandardCharsets.UTF_8)));
            case 2 -> broken();
            case 3 -> ask("POST", any(PATHS), headers(), fitting());
            default -> {
                int kind = random.nextInt(BODIES.size());
                yield ask("POST", pathFor(kind), "", changed(BODIES.get(kind)));
            }
        };
    }

    private byte[] fitting() {
        return any(BODIES).getBytes(StandardCharsets.UTF_8);
    }

    private String pathFor(int kind) {
        return switch (kind) {
            case 0, 1 -> PATHS.get(random.nextInt(3));
            case 2, 3 -> PATHS.get(3 + random.nextInt(2));
            case 4 -> PATHS.get(5);
            case 5 -> PATHS.get(6 + random.nextInt(2));
            case 6 -> PATHS.get(8);
            default -> PATHS.get(9 + random.nextInt(3));
        };
    }

    private String method() {
        return any(List.of("GET", "POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE", "FROB", "get"));
    }

    private String headers() {
        return any(List.of(
                "",
                "Content-Type: text/plain\r\n",
                "Content-Type: application/json; charset=utf-16\r\n",
                "Authorization: Bearer \r\n",
                "Authorization: Basic ====\r\n",
                "x-api-key: " + "k".repeat(5000) + "\r\n",
                "Expect: 100-continue\r\n",
                "Accept: text/html\r\n",
                "Origin: https://elsewhere.example\r\n",
                "X-Long: " + "x".repeat(50_000) + "\r\n",
                "Cookie: a=b\r\nCookie: c=d\r\n",
                "Content-Encoding: gzip\r\n",
                "Upgrade: websocket\r\nConnection: Upgrade\r\n"));
    }

    private byte[] damaged(byte[] body) {
        int changes = 1 + random.nextInt(4);
        for (int i = 0; i < changes; i++) {
            body[random.nextInt(body.length)] = (byte) random.nextInt(256);
        }
        return random.nextInt(3) == 0 ? java.util.Arrays.copyOf(body, random.nextInt(body.length)) : body;
    }

    /// A valid body in which a few values are others.
    private byte[] changed(String body) {
        JsonNode root = JSON.readTree(body);
        List<String> raw = new ArrayList<>();
        int changes = random.nextInt(4);
        for (int i = 0; i < changes; i++) {
            change(root, raw);
        }
        String text = root.toString();
        for (String value : raw) {
            int at = text.indexOf("\"" + RAW + "\"");
            if (at >= 0) {
                text = text.substring(0, at) + value + text.substring(at + RAW.length() + 2);
            }
        }
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private void change(JsonNode root, List<String> raw) {
        JsonNode node = root;
        while (true) {
            if (node instanceof ObjectNode object && !object.isEmpty()) {
                List<String> names = new ArrayList<>(object.propertyNames());
                String name = any(names);
                JsonNode child = object.get(name);
                if (!child.isContainer() || random.nextInt(3) == 0) {
                    if (random.nextInt(5) == 0) {
                        object.remove(name);
                    } else {
                        raw.add(any(RAW_VALUES));
                        object.put(name, RAW);
                    }
                    return;
                }
                node = child;
            } else if (node instanceof ArrayNode array && !array.isEmpty()) {
                int index = random.nextInt(array.size());
                if (!array.get(index).isContainer() || random.nextInt(3) == 0) {
                    raw.add(any(RAW_VALUES));
                    array.set(index, array.stringNode(RAW));
                    return;
                }
                node = array.get(index);
            } else {
                return;
            }
        }
    }

    /// Requests that are no HTTP, too slow, longer or shorter than they say, or left in the middle.
    private int broken() throws IOException {
        byte[] body = hello();
        return switch (random.nextInt(8)) {
            case 0 -> exchange("GET\r\n\r\n".getBytes(StandardCharsets.US_ASCII), false);
            case 1 -> {
                byte[] noise = new byte[200];
                random.nextBytes(noise);
                yield exchange(noise, true);
            }
            case 2 -> exchange(request("POST", "/v1/chat/completions", "Content-Length: -5\r\n", body), false);
            case 3 -> exchange(request("POST", "/v1/chat/completions", "Content-Length: 99999999999\r\n", body), false);
            case 4 -> exchange(request("POST", "/v1/chat/completions", "Content-Length: 500\r\n", body), false);
            case 5 -> exchange(request("POST", "/v1/chat/completions", "Content-Length: 500\r\n", body), true);
            case 6 ->
                exchange(
                        request(
                                "POST",
                                "/v1/chat/completions",
                                "Transfer-Encoding: chunked\r\n",
                                "zz\r\n".getBytes(StandardCharsets.US_ASCII)),
                        false);
            default -> exchange(request("POST", "/v1/embeddings", length(body), body), true);
        };
    }

    private int ask(String method, String path, String headers, byte[] body) throws IOException {
        return exchange(request(method, path, headers + length(body), body), false);
    }

    private static String length(byte[] body) {
        return "Content-Length: " + body.length + "\r\n";
    }

    private byte[] request(String method, String path, String headers, byte[] body) {
        ByteArrayOutputStream request = new ByteArrayOutputStream();
        String type = headers.contains("Content-Type") ? "" : "Content-Type: application/json\r\n";
        request.writeBytes("%s %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nConnection: close\r\n%s%s\r\n"
                .formatted(method, path, port, type, headers)
                .getBytes(StandardCharsets.US_ASCII));
        request.writeBytes(body);
        return request.toByteArray();
    }

    /// Sends bytes and reads what comes, but not for ever.
    ///
    /// @param halfClosed whether to say that nothing more is sent
    private int exchange(byte[] request, boolean halfClosed) throws IOException {
        String answer;
        try (Socket socket = new Socket(InetAddress.getLoopbackAddress(), port)) {
            socket.setSoTimeout(PATIENCE_MILLIS);
            try {
                socket.getOutputStream().write(request);
                if (halfClosed) {
                    socket.shutdownOutput();
                }
            } catch (SocketException e) {
                // It answers before it has read all, and has gone.
            }
            answer = read(socket.getInputStream());
        } catch (SocketTimeoutException e) {
            throw new AssertionError("no answer to " + text(request), e);
        }
        if (answer.isEmpty()) {
            return 0;
        }
        assertTrue(answer.matches("(?s)HTTP/1\\.[01] [1-9].*"), () -> text(request) + "\n" + answer);
        int status = Integer.parseInt(answer.substring(9, 12));
        assertTrue(status == 100 || status / 100 == 2 || status / 100 == 4, () -> text(request) + "\n" + answer);
        assertFalse(answer.contains("server_error"), () -> text(request) + "\n" + answer);
        return status;
    }

    private static String read(InputStream in) throws IOException {
        try {
            return new String(in.readNBytes(MOST_READ), StandardCharsets.UTF_8);
        } catch (SocketException e) {
            return "";
        }
    }

    private static String text(byte[] request) {
        String text = new String(request, StandardCharsets.UTF_8);
        return text.length() > 4000 ? text.substring(0, 2000) + " ... " + text.substring(text.length() - 2000) : text;
    }
}
