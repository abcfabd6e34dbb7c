package dev.wok.train;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import tools.jackson.databind.JsonNode;

/// Other runs on a run's page: a curve each in the charts, and a table of what differs and what came of it.
final class ReportBeside {
    private ReportBeside() {}

    /// @return for the page's charts, a run each
    static List<Map<String, Object>> curves(ReportRun run, List<ReportRun> beside) {
        Set<String> differing = differing(run, beside);
        List<Map<String, Object>> all = new ArrayList<>();
        for (ReportRun other : beside) {
            Map<String, Object> values = new LinkedHashMap<>();
            values.put("name", differing.isEmpty() || differing.size() > 2 ? other.name() : settings(other, differing));
            values.put("metrics", other.metrics().comparedValues());
            values.put("evaluations", other.curves());
            all.add(values);
        }
        return all;
    }

    /// @return a section, or nothing where there are no other runs
    static String html(ReportRun run, List<ReportRun> beside) {
        if (beside.isEmpty()) {
            return "";
        }
        Set<String> differing = differing(run, beside);
        List<ReportRun> all = new ArrayList<>(beside);
        all.addFirst(run);
        StringBuilder rows = new StringBuilder();
        for (ReportRun each : all) {
            rows.append("<tr><th scope=\"row\">%s</th><td>%s</td>"
                    .formatted(
                            ReportHtml.escape(each.name()),
                            ReportHtml.escape(differing.isEmpty() ? "" : settings(each, differing))));
            for (String cell : List.of(
                    ReportFigures.whole(each.steps()),
                    ReportFigures.decimals(each.figure("held_out_bits_per_byte"), 3),
                    ReportFigures.decimals(each.metrics().smoothedLoss(), 3),
                    ReportFigures.decimals(each.metrics().lateViolation(), 3),
                    ReportFigures.amount(each.speed()))) {
                rows.append("<td class=\"number\">").append(cell).append("</td>");
            }
            rows.append("</tr>\n");
        }
        return """
                <section>
                <h2>Beside other runs</h2>
                <p>MaxVio is the mean over the last tenth of the steps of the largest of all layers; the loss is smoothed.</p>
                <div class="wide"><table class="runs">
                <tr><th>run</th><th>what differs</th><th>steps</th><th>held-out bits/byte</th><th>loss</th><th>MaxVio</th><th>tokens/s</th></tr>
                %s</table></div>
                </section>
                """.formatted(rows);
    }

    /// @return the keys whose values are not the same in all runs, but those that change no number
    private static Set<String> differing(ReportRun run, List<ReportRun> beside) {
        Set<String> keys = new LinkedHashSet<>();
        for (ReportRun other : beside) {
            Set<String> all = new LinkedHashSet<>(run.file().path("settings").propertyNames());
            all.addAll(other.file().path("settings").propertyNames());
            for (String key : all) {
                if (!Settings.KEYS.isFree(key) && !run.setting(key).equals(other.setting(key))) {
                    keys.add(key);
                }
            }
        }
        return keys;
    }

    private static String settings(ReportRun run, Set<String> keys) {
        return keys.stream().map(key -> key + " " + plain(run.setting(key))).collect(Collectors.joining(", "));
    }

    private static String plain(JsonNode value) {
        return value.isMissingNode() ? "not set" : ReportHtml.plain(value).replaceFirst("\\.0$", "");
    }
}
