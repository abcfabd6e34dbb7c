package dev.wok.serve;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

/// The pages for people, which lie in the folder `pages` beside this class.
final class Pages {
    private static final String POLICY =
            "default-src 'self'; base-uri 'none'; form-action 'none';" + " frame-ancestors 'none'; object-src 'none'";
    private static final Pattern NAME = Pattern.compile("[a-z0-9-]+\\.(html|css|js|svg)");
    private static final int ETAG_BYTES = 12;

    /// A file, as it is sent.
    ///
    /// @param etag names these bytes
    private record Page(String contentType, byte[] bytes, String etag) {}

    private final Map<String, Page> read = new ConcurrentHashMap<>();

    List<Endpoint> endpoints() {
        return List.of(
                new Endpoint("GET", "/", new PageRoute(Optional.of("chat.html"))),
                new Endpoint("GET", "/status", new PageRoute(Optional.of("status.html"))),
                new Endpoint("GET", "/pages/{id}", new PageRoute(Optional.empty())));
    }

    /// Answers with the page that is named here, or else by the path.
    private final class PageRoute implements Route {
        private final Optional<String> fixed;

        PageRoute(Optional<String> fixed) {
            this.fixed = fixed;
        }

        @Override
        public void answer(Call call) {
            Page page = page(fixed.orElse(call.id()));
            call.header("etag", page.etag);
            call.header("cache-control", "no-cache");
            call.header("content-security-policy", POLICY);
            call.header("x-content-type-options", "nosniff");
            call.header("referrer-policy", "no-referrer");
            if (call.header("if-none-match").filter(page.etag::equals).isPresent()) {
                call.send(304, page.contentType, new byte[0]);
            } else {
                call.send(200, page.contentType, page.bytes);
            }
        }

        @Override
        public boolean isForPeople() {
            return true;
        }
    }

    private Page page(String name) {
        Page known = read.get(name);
        if (known != null) {
            return known;
        }
        if (!NAME.matcher(name).matches()) {
            throw Router.nothingHere();
        }
        try (InputStream in = Pages.class.getResourceAsStream("pages/" + name)) {
            if (in == null) {
                throw Router.nothingHere();
            }
            byte[] bytes = in.readAllBytes();
            Page page = new Page(contentType(name), bytes, etag(bytes));
            read.put(name, page);
            return page;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static String contentType(String name) {
        return switch (name.substring(name.lastIndexOf('.') + 1)) {
            case "html" -> "text/html; charset=utf-8";
            case "css" -> "text/css; charset=utf-8";
            case "js" -> "text/javascript; charset=utf-8";
            default -> "image/svg+xml; charset=utf-8";
        };
    }

    private static String etag(byte[] bytes) {
        try {
            byte[] hash = MessageDigest.getInstance("SHA-256").digest(bytes);
            return '"' + HexFormat.of().formatHex(hash, 0, ETAG_BYTES) + '"';
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException("every Java has SHA-256", e);
        }
    }
}
