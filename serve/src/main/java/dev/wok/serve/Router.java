package dev.wok.serve;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;

/// Finds the endpoint of a request.
final class Router {
    /// What stands at a path.
    ///
    /// @param id the rest of the path, where the endpoint takes one
    record Found(Endpoint endpoint, String id) {}

    private final Map<String, Map<String, Endpoint>> exact = new HashMap<>();

    /// Longest beginning first.
    private final List<Map.Entry<String, Map<String, Endpoint>>> stems;

    Router(List<Endpoint> endpoints) {
        Map<String, Map<String, Endpoint>> byStem = new HashMap<>();
        for (Endpoint endpoint : endpoints) {
            Map<String, Map<String, Endpoint>> map = endpoint.takesId() ? byStem : exact;
            Endpoint other =
                    map.computeIfAbsent(endpoint.stem(), _ -> new TreeMap<>()).put(endpoint.method(), endpoint);
            if (other != null) {
                throw new IllegalArgumentException("two endpoints: " + endpoint.method() + " " + endpoint.path());
            }
        }
        stems = new ArrayList<>(byStem.entrySet());
        stems.sort(Comparator.comparingInt(entry -> -entry.getKey().length()));
    }

    /// @param path decoded
    /// @throws Refusal (404, 405) where there is nothing
    Found find(String method, String path) {
        Map<String, Endpoint> methods = at(path).orElseThrow(Router::nothingHere);
        // What GET tells, HEAD tells without the body.
        Endpoint endpoint = methods.get(method.equals("HEAD") ? "GET" : method);
        if (endpoint == null) {
            throw new Refusal(
                    405,
                    "invalid_request_error",
                    "%s is not for this path; use %s.".formatted(method, String.join(" or ", methods.keySet())),
                    null,
                    "method_not_allowed");
        }
        return new Found(
                endpoint, endpoint.takesId() ? path.substring(endpoint.stem().length()) : "");
    }

    static Refusal nothingHere() {
        return new Refusal(404, "invalid_request_error", "there is nothing at this path.", null, "unknown_path");
    }

    /// @return the methods that a path knows, none where there is nothing
    List<String> methods(String path) {
        return at(path).map(methods -> List.copyOf(methods.keySet())).orElse(List.of());
    }

    private Optional<Map<String, Endpoint>> at(String path) {
        Map<String, Endpoint> found = exact.get(path);
        if (found != null) {
            return Optional.of(found);
        }
        return stems.stream()
                .filter(entry -> path.startsWith(entry.getKey())
                        && path.length() > entry.getKey().length())
                .map(Map.Entry::getValue)
                .findFirst();
    }
}
