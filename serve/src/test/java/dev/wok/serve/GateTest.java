package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.notice.Progress;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class GateTest {
    @TempDir
    Path folder;

    private static Refusal refusal(Gate gate, String method, Map<String, String> headers) {
        return assertThrows(Refusal.class, () -> gate.admit(method, headers::get));
    }

    @Test
    void onThisMachineOnlyItsNamesAreAnswered() {
        Gate gate = new Gate("127.0.0.1", null, List.of());
        for (String host : List.of("localhost", "LOCALHOST:8080", "127.0.0.1:1", "[::1]:8080", "[::1]")) {
            assertTrue(gate.admit("POST", Map.of("host", host)::get).isEmpty(), host);
        }
        for (String host : List.of("evil.example:8080", "localhost.evil.example", "", "127.0.0.1.evil", "[::2]")) {
            Refusal refusal = refusal(gate, "GET", Map.of("host", host));
            assertEquals(403, refusal.status());
            assertEquals("host_not_allowed", refusal.code());
        }
        assertEquals(403, refusal(gate, "GET", Map.of()).status());
        Gate named = new Gate("::1", null, List.of());
        assertTrue(named.admit("GET", Map.of("host", "[::1]:8080")::get).isEmpty());
        Gate open = new Gate("0.0.0.0", null, List.of());
        assertTrue(open.admit("GET", Map.of("host", "anything")::get).isEmpty());
    }

    @Test
    void pagesOfElsewhereMayNotAskUnlessTheyMay() {
        Gate gate = new Gate("127.0.0.1", null, List.of("https://app.example"));
        Map<String, String> same = Map.of("host", "localhost:8080", "origin", "http://localhost:8080");
        assertTrue(gate.admit("POST", same::get).isEmpty());
        Map<String, String> friend = Map.of("host", "localhost:8080", "origin", "https://app.example");
        assertTrue(gate.admit("POST", friend::get).isEmpty());
        for (String origin : List.of("http://localhost:9999", "https://evil.example", "null", "http://%", "")) {
            Refusal refusal = refusal(gate, "POST", Map.of("host", "localhost:8080", "origin", origin));
            assertEquals(403, refusal.status());
            assertEquals(
                    "pages of %s may not ask here; the server allows them with --cors.".formatted(origin),
                    refusal.message());
        }
        assertEquals(Optional.of("https://app.example"), gate.allowed("https://app.example"));
        assertEquals(Optional.empty(), gate.allowed("https://evil.example"));
        assertEquals(Optional.empty(), gate.allowed(null));
        assertEquals(Optional.of("*"), new Gate("127.0.0.1", null, List.of("*")).allowed("https://evil.example"));
    }

    @Test
    void keysAreTakenInThreeForms() {
        Path file = folder.resolve("keys");
        String key = Keys.add(file, "alice", Keys.Limits.none());
        Gate gate = new Gate("127.0.0.1", new Keys(file, Progress.silent()), List.of());
        for (Map<String, String> headers : List.of(
                Map.of("authorization", "Bearer " + key),
                Map.of("authorization", "bearer   " + key),
                Map.of("x-api-key", key),
                Map.of("authorization", "Basic " + basic("anyone:" + key)))) {
            assertEquals("alice", gate.admit("POST", headers::get).orElseThrow().name());
        }
        for (Map<String, String> headers : List.<Map<String, String>>of(
                Map.of(),
                Map.of("authorization", key),
                Map.of("authorization", "Bearer"),
                Map.of("authorization", "Bearer x" + key),
                Map.of("authorization", "Basic " + basic(key)),
                Map.of("authorization", "Basic ===="),
                Map.of("x-api-key", ""))) {
            Refusal refusal = refusal(gate, "GET", headers);
            assertEquals(401, refusal.status());
            assertEquals("invalid_api_key", refusal.code());
            assertTrue(refusal.message().contains("Authorization: Bearer KEY"), refusal.message());
        }
    }

    private static String basic(String text) {
        return Base64.getEncoder().encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }
}
