package dev.wok.train;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import dev.wok.fabric.Timeline;
import dev.wok.fabric.Trace;
import dev.wok.notice.BadInput;
import dev.wok.testkit.Thrown;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Deque;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import tools.jackson.databind.JsonNode;

class ReportTest {
    private static final Pattern SCRIPT = Pattern.compile("<script([^>]*)>(.*?)</script>", Pattern.DOTALL);
    private static final Pattern TAG = Pattern.compile("<(/?)([a-zA-Z][a-zA-Z0-9]*)([^>]*)>");
    private static final Set<String> VOID = Set.of("meta", "br", "hr", "img", "input", "link");
    private static final String HOSTILE =
            "</pre></script><script>alert(1)</script><img src=x onerror=alert(2)>{{data}}<!-- \\u0000\\u001b $1 & \\\"'";

    @TempDir
    Path folder;

    private String page() {
        return Report.page(ReportRun.read(folder), List.of());
    }

    private void file(String name, String text) throws IOException {
        Files.writeString(folder.resolve(name), text);
    }

    private static JsonNode data(String page) {
        Matcher scripts = SCRIPT.matcher(page);
        assertTrue(scripts.find() && scripts.group(1).contains("id=\"data\""));
        return Logs.JSON.readTree(scripts.group(2));
    }

    private static String metric(long step) {
        return String.format(
                Locale.ROOT,
                "{\"step\":%d,\"tokens\":%d,\"loss\":%f,\"mtp_loss\":0.0,\"learning_rate\":0.001,\"grad_norm\":%d,"
                        + "\"tokens_per_second\":%d,\"max_violation\":0.5,\"max_violation_per_layer\":[0.5,0.25],"
                        + "\"load\":[[0.5,1.5,1.0],[1.25,0.75,1.0]],\"seconds\":%d}%n",
                step,
                step * 100,
                2.0 + 1.0 / step,
                step % 7,
                40 + step % 3,
                step);
    }

    private static Trace.Entry span(Timeline.Kind kind, String name, int lane, double from, double to) {
        return new Trace.Entry(kind, name, 1, 0, lane, Math.round(from * 1e6), Math.round(to * 1e6));
    }

    /// A rank whose second thread computes for half of the time in which the first one waits for the exchange.
    private static Trace trace(int rank, long step) {
        return new Trace(
                rank,
                step,
                List.of("main", "<second>"),
                List.of(
                        span(Timeline.Kind.COMPUTE, "attention", 0, 0, 6),
                        span(Timeline.Kind.EXCHANGE, "dispatch", 0, 6, 10),
                        span(Timeline.Kind.WAIT, "wait", 0, 6, 10),
                        span(Timeline.Kind.COMPUTE, "experts", 0, 10, 16),
                        span(Timeline.Kind.COMPUTE, "router", 1, 6, 8),
                        span(Timeline.Kind.COMPUTE, "router", 1, 8.001, 8.002),
                        span(Timeline.Kind.WAIT, "wait", 1, 8.002, 8.004)),
                0);
    }

    private void wholeRun() throws IOException {
        file(
                "run.json",
                "{\"name\":\"tiny\",\"settings\":{\"steps\":3,\"first_k_dense_replace\":1,\"num_hidden_layers\":2},"
                        + "\"corpus\":[\"7 files\"]}");
        file("metrics.jsonl", metric(1) + metric(2) + metric(3));
        file("evaluations.jsonl", "{\"step\":3,\"held_out_bits_per_byte\":1.8,\"gzip_bits_per_byte\":2.0}\n");
        file(
                "samples.jsonl",
                "{\"step\":2,\"prompt\":\"int \",\"text\":\"int older\"}\n{\"step\":3,\"prompt\":\"int \",\"text\":\"int newer\"}\n");
        file(
                "result.json",
                "{\"steps\":3,\"tokens\":300,\"seconds\":3.0,\"loss\":2.25,\"held_out_bits_per_byte\":1.8,"
                        + "\"gzip_bits_per_byte\":2.0,\"max_violation\":0.5,\"parameters\":5071808,\"active_parameters\":2292736}");
    }

    @Test
    void showsTheRun() throws IOException {
        wholeRun();
        String page = page();
        assertBalanced(page);
        for (String shown : List.of(
                "Finished after 3 steps.",
                "1.800",
                "10.0% below gzip -9",
                "2.000",
                "2.333",
                "last step 2.250",
                "5.07 M",
                "2.29 M active",
                ">100<",
                "0.500",
                "<li>7 files</li>",
                "<td>3</td>",
                "<b>int </b>newer")) {
            assertTrue(page.contains(shown), shown);
        }
        assertTrue(page.indexOf("newer") < page.indexOf("older"), "the newest sample comes first");
        JsonNode data = data(page);
        assertEquals("[1,2,3]", data.path("steps").toString());
        assertEquals("[3.0,2.5,2.33333]", data.path("loss").toString());
        assertEquals(
                "[[0.5,0.5,0.5],[0.25,0.25,0.25]]",
                data.path("layer_violations").toString());
        assertEquals("[\"layer 1\",\"MTP layer 0\"]", data.path("layers").toString());
        assertEquals("[1,2,3]", data.path("loads").path("first").toString());
        assertEquals(
                "[50,150,100,50,150,100,50,150,100]",
                data.path("loads").path("cells").path(0).toString());
        assertFalse(data.has("mtp_loss"), "all zero");
    }

    @ParameterizedTest
    @CsvSource({
        "0.001,Each expert&#39;s bias moves by gamma = 0.001 against its load.",
        "0,Gamma is 0: no bias levels the load."
    })
    void saysWhatLevelsTheLoad(String gamma, String sentence) throws IOException {
        file("run.json", "{\"settings\":{\"gamma\":%s}}".formatted(gamma));
        assertTrue(page().contains(sentence));
    }

    @Test
    void aSampleCutOffInsideACharacterLeavesThePage() throws IOException {
        wholeRun();
        byte[] cut = "{\"step\":4,\"text\":\"\u00e9".getBytes(StandardCharsets.UTF_8);
        Files.write(folder.resolve("samples.jsonl"), Arrays.copyOf(cut, cut.length - 1), StandardOpenOption.APPEND);
        String page = page();
        assertTrue(page.contains("<b>int </b>newer"));
        assertTrue(page.contains("damaged and left out: 1."));
    }

    @Test
    void hostileTextIsInert() throws IOException {
        file(
                "run.json",
                "{\"name\":\"%1$s\",\"settings\":{\"%1$s\":\"%1$s\",\"l\":[\"%1$s\"]},\"corpus\":[\"%1$s\"]}"
                        .formatted(HOSTILE));
        file("metrics.jsonl", metric(1));
        file("samples.jsonl", "{\"step\":1,\"prompt\":\"%1$s\",\"text\":\"%1$s%1$s\"}\n".formatted(HOSTILE));
        String page = page();
        assertBalanced(page);
        assertEquals(3, SCRIPT.matcher(page).results().count());
        assertFalse(page.contains("alert(1)</script>"));
        assertFalse(page.contains("<img"));
        assertTrue(
                page.contains("&lt;img src=x onerror=alert(2)&gt;{{data}}&lt;!-- \uFFFD\uFFFD $1 &amp; &quot;&#39;"));
    }

    @Test
    void jsonCannotEndItsScript() {
        assertEquals("[\"\\u003c/script>\\u003c!--\"]", ReportHtml.json(List.of("</script><!--")));
    }

    @Test
    void loadsNothingAndRunsOnlyItsOwnScripts() throws Exception {
        wholeRun();
        String page = page();
        String policy = group(page, "http-equiv=\"Content-Security-Policy\" content=\"([^\"]*)\"");
        assertTrue(policy.startsWith("default-src 'none';"), policy);
        Matcher scripts = SCRIPT.matcher(page);
        int run = 0;
        while (scripts.find()) {
            if (scripts.group(1).isEmpty()) {
                byte[] digest = MessageDigest.getInstance("SHA-256")
                        .digest(scripts.group(2).getBytes(StandardCharsets.UTF_8));
                assertTrue(policy.contains("'sha256-" + Base64.getEncoder().encodeToString(digest) + "'"));
                run++;
            }
        }
        assertEquals(2, run);
        String markup = SCRIPT.matcher(page).replaceAll("");
        assertFalse(Pattern.compile("\\s(src|href|srcset|data|action)\\s*=")
                .matcher(markup)
                .find());
        assertFalse(Pattern.compile("url\\(|@import|https?:").matcher(markup).find());
        assertTrue(page.contains("Copyright (c) 2022 Leon Sorokin"), "the charts' licence is in the page");
    }

    @Test
    void drawsTheLastStepThatWasTraced() throws IOException {
        wholeRun();
        assertFalse(page().contains("Timeline of step"));
        TraceFile.write(folder.resolve("trace.json"), List.of(trace(0, 2), trace(1, 2), trace(0, 3), trace(1, 3)));
        String page = page();
        assertBalanced(page);
        for (String shown : List.of(
                "Timeline of step 3",
                "<b>rank 1</b>",
                "aria-label=\"rank 1, &lt;second&gt;\">",
                "<span>in flight 1</span>",
                "<rect class=\"compute\" x=\"0.00\" width=\"375.00\" height=\"1\"><title>attention, layer 1, micro-batch 0: 6.000 ms from 0.000 ms on</title>",
                "<rect class=\"exchange\" x=\"375.00\" width=\"250.00\"",
                "<rect class=\"wait\" x=\"500.06\" width=\"0.19\" height=\"1\"><title>wait, layer 1, micro-batch 0 and 1 more: 0.003 ms",
                "<span style=\"left:87.50%\">14 ms</span>",
                "<tr><td>2</td><th scope=\"row\">1</th><td class=\"number\">16.0</td><td class=\"number\">14.0</td><td class=\"number\">4.000</td><td class=\"number\">1.999</td><td class=\"number\">50.0 %</td></tr>")) {
            assertTrue(page.contains(shown), shown);
        }
        assertEquals(2 * 3, page.split("<svg ", -1).length - 1);
    }

    @Test
    void anEmptyFolderGivesAPage() throws IOException {
        String page = page();
        assertBalanced(page);
        assertTrue(page.contains("No step is recorded yet."));
        assertEquals("[]", data(page).path("steps").toString());
    }

    @Test
    void writesOnlyWhereARunIs() throws IOException {
        Path other = folder.resolve("other");
        wholeRun();
        for (Thrown.Code write : List.<Thrown.Code>of(
                () -> Report.write(other, List.of()), () -> Report.write(folder, List.of(folder, other)))) {
            assertTrue(Thrown.message(BadInput.class, write).contains("other holds no run"));
        }
        assertFalse(Files.exists(folder.resolve("report.html")));
        Report.write(folder, List.of());
        assertEquals(page(), Files.readString(folder.resolve("report.html")));
    }

    @Test
    void showsOtherRunsBeside() throws IOException {
        wholeRun();
        ReportRun run = ReportRun.read(folder);
        file(
                "run.json",
                Files.readString(folder.resolve("run.json"))
                        .replace("\"steps\"", "\"gamma\":0.5,\"unknown\":1,\"steps\""));
        List<String> lines = new ArrayList<>();
        for (long step = 1; step <= 40; step++) {
            lines.add(metric(step).replace("violation\":0.5", "violation\":" + (step <= 36 ? 7 : step)));
        }
        file("metrics.jsonl", String.join("", lines));
        Files.delete(folder.resolve("result.json"));
        String page = Report.page(run, List.of(ReportRun.read(folder)));
        assertBalanced(page);
        assertTrue(page.contains("<td>gamma not set, unknown not set</td>"), "this run");
        assertTrue(page.contains("<td>gamma 0.5, unknown 1</td><td class=\"number\">40</td>"), "the other");
        assertTrue(page.contains(">38.500<"), "the mean of 37, 38, 39, 40");
        JsonNode beside = data(page).path("beside").path(0);
        assertEquals("gamma 0.5, unknown 1", beside.path("name").asString());
        assertEquals(40, beside.path("metrics").path("steps").size());
        assertEquals(40.0, beside.path("metrics").path("violation").path(39).asDouble());
        assertEquals(
                "[1.8]",
                beside.path("evaluations").path("held_out_bits_per_byte").toString());
    }

    @ParameterizedTest
    @ValueSource(
            strings = {"run.json", "metrics.jsonl", "evaluations.jsonl", "samples.jsonl", "result.json", "trace.json"})
    void anyFileMayBeMissingCutOffOrDamaged(String name) throws IOException {
        wholeRun();
        TraceFile.write(folder.resolve("trace.json"), List.of(trace(0, 3)));
        Path file = folder.resolve(name);
        String whole = Files.readString(file);
        for (String damaged :
                List.of("", whole.substring(0, whole.length() / 2), "[1]", "7", "{\"step\":1", "\u0000")) {
            file(name, damaged);
            assertBalanced(page());
        }
        Files.delete(file);
        assertBalanced(page());
    }

    @Test
    void leavesOutDamagedLinesAndSaysSo() throws IOException {
        String odd =
                "{\"step\":3,\"loss\":\"NaN\",\"grad_norm\":1e999,\"load\":[[1,1],[1,1]],\"max_violation_per_layer\":7}\n";
        file("metrics.jsonl", metric(1) + "{\"loss\":\n" + metric(2) + metric(2) + odd + "{\"step\":4,\"lo");
        String page = page();
        assertTrue(page.contains("damaged and left out: 3."));
        JsonNode data = data(page);
        assertEquals("[1,2,3]", data.path("steps").toString());
        assertEquals("[3.0,2.5,null]", data.path("loss").toString());
        assertEquals("[1.0,2.0,null]", data.path("grad_norm").toString());
        assertEquals("[1,2]", data.path("loads").path("last").toString());
    }

    @Test
    void thinsLongRuns() throws IOException {
        List<String> lines = new ArrayList<>();
        for (long step = 1; step <= 4_999; step++) {
            lines.add(metric(step));
        }
        file("metrics.jsonl", String.join("", lines));
        String page = page();
        assertTrue(page.contains("A point stands for 3 steps"));
        JsonNode data = data(page);
        assertEquals(1667, data.path("steps").size());
        assertEquals(3, data.path("steps").path(0).asInt());
        assertEquals(4_999, data.path("steps").path(1666).asInt());
        assertEquals(3.0, data.path("grad_norm").path(0).asDouble(), "the largest of 1, 2, 3");
        assertEquals(41.0, data.path("speed").path(0).asDouble(), "the mean of 41, 42, 40");
        assertEquals(385, data.path("loads").path("first").size());
        assertEquals(13, data.path("loads").path("last").path(0).asInt());
        assertEquals(385 * 3, data.path("loads").path("cells").path(1).size());
    }

    @Test
    void thinningKeepsTheLast() {
        assertEquals(List.of(2, 4, 7), ReportSamples.thin(List.of(1, 2, 3, 4, 5, 6, 7), 3));
        assertEquals(List.of(1, 2), ReportSamples.thin(List.of(1, 2), 3));
    }

    @ParameterizedTest
    @CsvSource({
        "0,0",
        "9999,'9,999'",
        "10000,10.0 k",
        "99950,100 k",
        "999499,999 k",
        "999500,1.00 M",
        "5071808,5.07 M",
        "3e15,3000 T"
    })
    void amounts(double value, String text) {
        assertEquals(text, ReportFigures.amount(value));
    }

    private static String group(String text, String pattern) {
        Matcher matcher = Pattern.compile(pattern).matcher(text);
        assertTrue(matcher.find(), pattern);
        return matcher.group(1);
    }

    private static void assertBalanced(String page) {
        String markup = SCRIPT.matcher(page).replaceAll("<script></script>").replaceAll("(?s)<style>.*?</style>", "");
        assertFalse(TAG.matcher(markup)
                .replaceAll("")
                .replace("<!DOCTYPE html>", "")
                .contains("<"));
        Deque<String> open = new ArrayDeque<>();
        Matcher tags = TAG.matcher(markup);
        while (tags.find()) {
            String name = tags.group(2);
            if (!tags.group(1).isEmpty()) {
                assertEquals(open.poll(), name, "closes what was opened last");
            } else if (!VOID.contains(name)) {
                open.push(name);
            }
        }
        assertTrue(open.isEmpty(), () -> "never closed: " + open);
    }
}
