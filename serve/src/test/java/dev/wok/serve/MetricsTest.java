package dev.wok.serve;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class MetricsTest {
    @Test
    void figuresAreInPrometheusForm() {
        Metrics metrics = new Metrics();
        metrics.answered("/v1/models/{id}", "GET", 200);
        metrics.answered("/v1/models/{id}", "GET", 200);
        metrics.answered("/v1/models/{id}", "GET", 404);
        metrics.refused(Refusal.badField("n", "no"));
        metrics.refused(Refusal.tooMuch("tokens", "no", 1));
        metrics.firstToken().add(.0015);
        metrics.firstToken().add(1000);
        Exposition out = new Exposition();
        metrics.write(out);
        out.head("x", "gauge", "Escapes.");
        out.sample("x", 1.5, "a", "q\"\\\n", "b", "");
        String text = out.toString();
        for (String line : new String[] {
            "# TYPE wok_requests_total counter",
            "wok_requests_total{path=\"/v1/models/{id}\",method=\"GET\",status=\"200\"} 2",
            "wok_requests_total{path=\"/v1/models/{id}\",method=\"GET\",status=\"404\"} 1",
            "wok_refused_total{reason=\"invalid_request_error\"} 1",
            "wok_refused_total{reason=\"rate_limit_exceeded\"} 1",
            "wok_time_to_first_token_seconds_bucket{le=\"0.001\"} 0",
            "wok_time_to_first_token_seconds_bucket{le=\"0.002\"} 1",
            "wok_time_to_first_token_seconds_bucket{le=\"120.0\"} 1",
            "wok_time_to_first_token_seconds_bucket{le=\"+Inf\"} 2",
            "wok_time_to_first_token_seconds_count 2",
            "x{a=\"q\\\"\\\\\\n\",b=\"\"} 1.5",
        }) {
            assertTrue(text.contains(line + "\n"), line + "\nis not in\n" + text);
        }
        assertTrue(text.lines().allMatch(line -> line.matches("# (HELP|TYPE) \\w+ .+|\\w+(\\{.*\\})? \\S+")), text);
        assertEquals(3, metrics.answered());
        assertEquals(1, metrics.answered(404));
    }

    @Test
    void quantilesLieInTheirClass() {
        Histogram histogram = new Histogram();
        assertTrue(Double.isNaN(histogram.quantile(.5)));
        for (int i = 0; i < 98; i++) {
            histogram.add(.018);
        }
        histogram.add(4);
        histogram.add(500);
        assertEquals(.0175, histogram.quantile(.5), .0026);
        assertEquals(4, histogram.quantile(.99), 1);
        assertEquals(120, histogram.quantile(1));
    }
}
