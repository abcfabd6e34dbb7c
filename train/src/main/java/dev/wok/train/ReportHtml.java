package dev.wok.train;

import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import tools.jackson.databind.JsonNode;

/// The page around its parts. Text from a run is escaped here and nowhere else; besides, the page's policy lets no
/// script run but the two whose hashes it names, and nothing be loaded.
final class ReportHtml {
    /// Where the build unpacks uPlot, as its archive has it.
    private static final String UPLOT = "/META-INF/resources/webjars/uplot/1.6.30/";
    private static final Pattern PLACE = Pattern.compile("\\{\\{([a-z_]+)}}");

    private ReportHtml() {}

    /// @param parts HTML by the name of its place in page.html
    static String page(Map<String, String> parts) {
        Map<String, String> all = new HashMap<>(parts);
        String uplot = "/*\n" + ReportFiles.resource(UPLOT + "LICENSE").strip() + "\n*/\n"
                + ReportFiles.resource(UPLOT + "dist/uPlot.iife.min.js");
        String script = ReportFiles.resource("report/charts.js") + ReportFiles.resource("report/heat.js");
        all.put(
                "style",
                ReportFiles.resource(UPLOT + "dist/uPlot.min.css") + "\n" + ReportFiles.resource("report/page.css"));
        all.put("uplot", uplot);
        all.put("script", script);
        all.put("policy", "'sha256-%s' 'sha256-%s'".formatted(hash(uplot), hash(script)));
        return PLACE.matcher(ReportFiles.resource("report/page.html"))
                .replaceAll(place -> Matcher.quoteReplacement(part(all, place.group(1))));
    }

    /// @param rows of the table of stages
    static String index(String title, String rows) {
        Map<String, String> parts =
                Map.of("title", escape(title), "style", ReportFiles.resource("report/page.css"), "rows", rows);
        return PLACE.matcher(ReportFiles.resource("report/index.html"))
                .replaceAll(place -> Matcher.quoteReplacement(part(parts, place.group(1))));
    }

    private static String part(Map<String, String> parts, String name) {
        String part = parts.get(name);
        if (part == null) {
            throw new IllegalStateException(
                    "a page has a place for %s, which the report does not give".formatted(name));
        }
        return part;
    }

    private static String hash(String script) {
        try {
            byte[] digest = MessageDigest.getInstance("SHA-256").digest(script.getBytes(StandardCharsets.UTF_8));
            return Base64.getEncoder().encodeToString(digest);
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    /// @return text that is inert in an element and in a quoted attribute; control characters become U+FFFD
    static String escape(String text) {
        StringBuilder html = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            switch (c) {
                case '&' -> html.append("&amp;");
                case '<' -> html.append("&lt;");
                case '>' -> html.append("&gt;");
                case '"' -> html.append("&quot;");
                case '\'' -> html.append("&#39;");
                default -> html.append(Character.isISOControl(c) && c != '\n' && c != '\t' ? '\uFFFD' : c);
            }
        }
        return html.toString();
    }

    /// @return JSON that cannot end the script element it stands in
    static String json(Object value) {
        return Logs.JSON.writeValueAsString(value).replace("<", "\\u003c");
    }

    /// @return table rows of a flat object
    static String settings(JsonNode settings) {
        StringBuilder rows = new StringBuilder();
        settings.properties()
                .forEach(entry -> rows.append("<tr><th scope=\"row\">%s</th><td>%s</td></tr>\n"
                        .formatted(escape(entry.getKey()), escape(plain(entry.getValue())))));
        return rows.isEmpty() ? "<tr><td>None recorded.</td></tr>" : rows.toString();
    }

    /// @return list items
    static String list(JsonNode lines) {
        StringBuilder items = new StringBuilder();
        lines.forEach(line -> items.append("<li>%s</li>\n".formatted(escape(plain(line)))));
        return items.isEmpty() ? "<li>Nothing recorded.</li>" : items.toString();
    }

    static String plain(JsonNode value) {
        return value.isString() ? value.stringValue() : value.toString();
    }
}
