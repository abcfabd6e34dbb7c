package dev.wok.serve;

import java.net.InetAddress;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/// Who may ask. Without keys that is whoever reaches the address, which is this machine's own unless
/// another one is asked for; then requests that pages of elsewhere cause in this machine's browser are
/// kept out by what browsers say of them, in the headers `Host` and `Origin`.
final class Gate {
    private static final Set<String> HERE = Set.of("localhost", "127.0.0.1", "[::1]");
    private static final String ANY = "*";

    private final @Nullable Keys keys;
    private final String host;
    private final boolean local;
    private final List<String> origins;

    /// @param host which is listened at
    /// @param keys that are asked for; null for none
    /// @param origins of pages elsewhere that may ask; `*` for all
    Gate(String host, @Nullable Keys keys, List<String> origins) {
        this.keys = keys;
        this.host = host.toLowerCase(Locale.ROOT);
        local = isLoopback(host);
        this.origins = List.copyOf(origins);
    }

    /// @return whether only this machine reaches an address
    static boolean isLoopback(String host) {
        try {
            return InetAddress.getByName(host).isLoopbackAddress();
        } catch (UnknownHostException e) {
            return false;
        }
    }

    /// @param headers by name, null where there is none
    /// @return whose request it is, where keys are asked for
    /// @throws Refusal (401, 403)
    Optional<Key> admit(String method, Function<String, @Nullable String> headers) {
        Optional<Key> key = Optional.empty();
        if (keys != null) {
            key = key(keys, headers);
        } else if (local) {
            requireHere(headers.apply("host"));
        }
        String origin = headers.apply("origin");
        if (origin != null
                && !isSafe(method)
                && !isSame(origin, headers.apply("host"))
                && allowed(origin).isEmpty()) {
            throw forbidden(
                    "origin_not_allowed",
                    "pages of %s may not ask here; the server allows them with --cors.".formatted(origin));
        }
        return key;
    }

    /// @return the origin to be named in the answer, where pages of that origin may read it
    Optional<String> allowed(@Nullable String origin) {
        if (origin == null) {
            return Optional.empty();
        }
        if (origins.contains(ANY)) {
            return Optional.of(ANY);
        }
        return origins.contains(origin) ? Optional.of(origin) : Optional.empty();
    }

    private static boolean isSafe(String method) {
        return method.equals("GET") || method.equals("HEAD") || method.equals("OPTIONS");
    }

    private static boolean isSame(String origin, @Nullable String host) {
        if (host == null) {
            return false;
        }
        try {
            return host.equalsIgnoreCase(URI.create(origin).getRawAuthority());
        } catch (IllegalArgumentException e) {
            return false;
        }
    }

    private void requireHere(@Nullable String header) {
        String name = header == null ? "" : name(header.toLowerCase(Locale.ROOT));
        if (!HERE.contains(name) && !name.equals(host) && !name.equals("[" + host + "]")) {
            throw forbidden(
                    "host_not_allowed",
                    "this server answers to localhost only, and not to '%s'; start it with --host and --keys to be"
                                    .formatted(name)
                            + " reached by other names.");
        }
    }

    /// @return the name without the port
    private static String name(String header) {
        int colon = header.lastIndexOf(':');
        return colon > header.lastIndexOf(']') ? header.substring(0, colon) : header;
    }

    private static Refusal forbidden(String code, String message) {
        return new Refusal(403, "invalid_request_error", message, null, code);
    }

    private static Optional<Key> key(Keys keys, Function<String, @Nullable String> headers) {
        String shown = shown(headers);
        Optional<Key> key = shown == null ? Optional.empty() : keys.find(shown);
        if (key.isEmpty()) {
            String what = shown == null ? "a key is needed" : "this key is not known here";
            throw new Refusal(
                    401,
                    "invalid_request_error",
                    what + "; send one as Authorization: Bearer KEY, or as x-api-key: KEY.",
                    null,
                    "invalid_api_key");
        }
        return key;
    }

    private static @Nullable String shown(Function<String, @Nullable String> headers) {
        String authorization = headers.apply("authorization");
        if (authorization != null) {
            int space = authorization.indexOf(' ');
            String scheme = space < 0 ? "" : authorization.substring(0, space).toLowerCase(Locale.ROOT);
            String rest = authorization.substring(space + 1).strip();
            switch (scheme) {
                case "bearer" -> {
                    return rest;
                }
                case "basic" -> {
                    return password(rest);
                }
                default -> {}
            }
        }
        return headers.apply("x-api-key");
    }

    /// Browsers send what people type in this form: `user:password` in Base64.
    private static @Nullable String password(String encoded) {
        try {
            String pair = new String(Base64.getDecoder().decode(encoded), StandardCharsets.UTF_8);
            int colon = pair.indexOf(':');
            return colon < 0 ? null : pair.substring(colon + 1);
        } catch (IllegalArgumentException e) {
            return null;
        }
    }
}
