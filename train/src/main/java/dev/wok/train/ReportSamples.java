package dev.wok.train;

import java.util.ArrayList;
import java.util.List;
import tools.jackson.databind.JsonNode;

/// The texts that the model wrote during the run, the newest first.
final class ReportSamples {
    private static final int MOST = 40;
    private static final int OPEN = 3;

    private ReportSamples() {}

    static String html(List<JsonNode> samples) {
        StringBuilder html = new StringBuilder();
        List<JsonNode> shown = thin(samples, MOST);
        for (int i = shown.size() - 1; i >= 0; i--) {
            JsonNode sample = shown.get(i);
            String prompt = sample.path("prompt").asString("");
            String text = sample.path("text").asString("");
            String lead = text.startsWith(prompt) ? prompt : "";
            html.append("<details class=\"sample\"%s><summary>step %,d</summary><pre><b>%s</b>%s</pre></details>\n"
                    .formatted(
                            shown.size() - i <= OPEN ? " open" : "",
                            sample.path("step").longValue(),
                            ReportHtml.escape(lead),
                            ReportHtml.escape(text.substring(lead.length()))));
        }
        return html.isEmpty() ? "<p class=\"note\">None yet.</p>" : html.toString();
    }

    /// @return at most so many of the elements, evenly spread, the last among them
    static <T> List<T> thin(List<T> all, int most) {
        if (all.size() <= most) {
            return all;
        }
        List<T> thinned = new ArrayList<>();
        for (int i = 1; i <= most; i++) {
            thinned.add(all.get((int) ((long) i * all.size() / most) - 1));
        }
        return thinned;
    }
}
