package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import org.junit.jupiter.api.Test;

class RouterTest {
    private static final Route ROUTE = _ -> {};

    private final Router router = new Router(List.of(
            new Endpoint("GET", "/models", ROUTE),
            new Endpoint("GET", "/models/{id}", ROUTE),
            new Endpoint("POST", "/models/special/{id}", ROUTE),
            new Endpoint("POST", "/chat", ROUTE),
            new Endpoint("GET", "/chat", ROUTE)));

    private String found(String method, String path) {
        Router.Found found = router.find(method, path);
        return found.endpoint().path() + " " + found.id();
    }

    @Test
    void theLongestBeginningWins() {
        assertEquals("/models ", found("GET", "/models"));
        assertEquals("/models/{id} a/b c", found("GET", "/models/a/b c"));
        assertEquals("/models/special/{id} x", found("POST", "/models/special/x"));
        assertEquals("/models ", found("HEAD", "/models"));
        assertEquals(List.of("GET", "POST"), router.methods("/chat"));
        assertEquals(List.of(), router.methods("/"));
    }

    @Test
    void whatIsNotThereIsRefused() {
        for (String path : List.of("", "/", "/models/", "/Models", "/chat/", "/chat/x", "//chat", "*")) {
            Refusal refusal = assertThrows(Refusal.class, () -> router.find("GET", path), path);
            assertEquals(404, refusal.status());
        }
        Refusal method = assertThrows(Refusal.class, () -> router.find("PUT", "/chat"));
        assertEquals(405, method.status());
        assertEquals("PUT is not for this path; use GET or POST.", method.message());
        assertThrows(
                IllegalArgumentException.class,
                () -> new Router(List.of(new Endpoint("GET", "/a", ROUTE), new Endpoint("GET", "/a", ROUTE))));
    }
}
