package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ReportTest {
    private static final Pattern TAG = Pattern.compile("<(/?)([a-z][a-z0-9]*)[^>]*>");
    private static final Set<String> VOID = Set.of("meta", "br");

    @TempDir
    Path folder;

    private String page() throws IOException {
        Report.write(folder);
        return Files.readString(folder.resolve("report.html"));
    }

    private void write(String name, String text) throws IOException {
        Files.writeString(folder.resolve(name), text);
    }

    /// The page without its scripts and styles, whose text is no markup.
    private static String markup(String page) {
        return page.replaceAll("(?s)(<script[^>]*>).*?(</script>)", "$1$2")
                .replaceAll("(?s)(<style[^>]*>).*?(</style>)", "$1$2");
    }

    private static void assertBalanced(String page) {
        Deque<String> open = new ArrayDeque<>();
        Matcher tag = TAG.matcher(markup(page));
        while (tag.find()) {
            if (VOID.contains(tag.group(2))) {
                continue;
            }
            if (tag.group(1).isEmpty()) {
                open.push(tag.group(2));
            } else {
                assertEquals(open.pop(), tag.group(2), "closes at " + tag.start());
            }
        }
        assertTrue(open.isEmpty(), open.toString());
    }

    @Test
    void aFolderWithNothingYet() throws IOException {
        String page = page();
        assertBalanced(page);
        assertTrue(page.contains("none yet"));
    }

    @Test
    void hostileTextIsText() throws IOException {
        String hostile = "</script></pre><script>alert(1)</script><img src=x onerror=alert(2)> ${js} $1";
        write("run.json", "{\"name\": \"<b>&\", \"settings\": {\"sample_prompt\": \"</table><i>\"}}");
        write(
                "samples.jsonl",
                Logs.JSON.writeValueAsString(java.util.Map.of("step", 7, "prompt", "p", "text", hostile)) + "\n");
        String page = page();
        assertBalanced(page);
        assertFalse(markup(page).contains("<img"));
        assertFalse(markup(page).contains("<i>\""));
        assertTrue(page.contains("&lt;/pre&gt;&lt;script&gt;alert(1)"));
        assertTrue(page.contains("${js} $1"), "slots in a sample stay text");
    }

    @Test
    void aRunThatWasCutOff() throws IOException {
        write("metrics.jsonl", """
                {"step":1,"loss":5.5,"learning_rate":0.1,"grad_norm":1,"tokens":9,"max_violation":1,\
                "max_violation_per_layer":[1.0],"load":[[2.0,0.0]]}
                {"step":2,"loss":4.5,"learning_rate":0.1,"grad_norm":1,"tokens":18,"max_violation":0.5,\
                "max_violation_per_layer":[0.5],"load":[[1.5,0.5]]}
                {"step":3,"lo""");
        ReportData data = ReportData.of(folder);
        assertEquals(2, data.metrics().size());
        String series = Logs.JSON.writeValueAsString(data.series());
        assertTrue(series.contains("\"loss\":[5.5,4.5]"), series);
        assertTrue(series.contains("\"layers\":[[[2.0,1.5],[0.0,0.5]]]"), series);
        assertBalanced(page());
    }

    @Test
    void longRunsAreThinned() throws IOException {
        StringBuilder lines = new StringBuilder();
        for (int i = 1; i <= 5001; i++) {
            lines.append("{\"step\":%d,\"loss\":%d,\"load\":[[1,1]]}%n".formatted(i, i));
        }
        write("metrics.jsonl", lines.toString());
        Object metrics = ReportData.of(folder).series().get("metrics");
        int points = Logs.JSON.valueToTree(metrics).path("loss").size();
        assertTrue(points <= 2000 && points > 1000, points + " points");
        assertEquals(
                5001,
                Logs.JSON.valueToTree(metrics).path("loss").get(points - 1).asInt());
    }

    @Test
    void nothingIsFetched() throws IOException {
        String page = page();
        assertFalse(Pattern.compile("(src|href)\\s*=").matcher(markup(page)).find());
        assertFalse(
                Pattern.compile("@import|url\\(\\s*['\"]?http").matcher(page).find());
    }
}
