package dev.wok.train;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SequencedMap;
import tools.jackson.databind.JsonNode;

/// The texts that the model wrote during the run, the newest first.
final class ReportSamples {
    private static final int MOST = 200;
    private static final int OPEN = 3;

    private ReportSamples() {}

    static String html(List<JsonNode> samples) {
        StringBuilder html = new StringBuilder();
        SequencedMap<Long, List<JsonNode>> steps = new LinkedHashMap<>();
        samples.forEach(sample -> steps.computeIfAbsent(sample.path("step").longValue(), _ -> new ArrayList<>())
                .add(sample));
        List<Map.Entry<Long, List<JsonNode>>> shown = thin(List.copyOf(steps.entrySet()), MOST);
        for (int i = shown.size() - 1; i >= 0; i--) {
            html.append("<details class=\"sample\" data-step=\"%d\"%s><summary>step %,d</summary>"
                    .formatted(
                            shown.get(i).getKey(),
                            shown.size() - i <= OPEN ? " open" : "",
                            shown.get(i).getKey()));
            shown.get(i).getValue().forEach(sample -> html.append(text(sample)));
            html.append("</details>\n");
        }
        return html.isEmpty() ? "<p class=\"note\">None yet.</p>" : html.toString();
    }

    /// The prompt, which a text may repeat, what was written after it, and how that was judged.
    private static String text(JsonNode sample) {
        String prompt = sample.path("prompt").asString("");
        String text = sample.path("text").asString("");
        boolean repeats = text.startsWith(prompt);
        double reward = ReportFiles.number(sample, "reward");
        String judged = Double.isNaN(reward)
                ? ""
                : "<p class=\"judged\">reward %s %s</p>"
                        .formatted(
                                String.format(Locale.ROOT, "%.3g", reward),
                                ReportHtml.escape(sample.path("reason").asString("")));
        return "<pre><b>%s</b>%s%s</pre>%s"
                .formatted(
                        ReportHtml.escape(prompt),
                        repeats ? "" : "\n",
                        ReportHtml.escape(repeats ? text.substring(prompt.length()) : text),
                        judged);
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
