package dev.wok.serve;

import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.atomic.LongAdder;

/// What the server counts of its own work. For any number of threads.
final class Metrics {
    private record Answered(String path, String method, int status) implements Comparable<Answered> {
        @Override
        public int compareTo(Answered other) {
            int byPath = path.compareTo(other.path);
            int byMethod = byPath != 0 ? byPath : method.compareTo(other.method);
            return byMethod != 0 ? byMethod : Integer.compare(status, other.status);
        }
    }

    private final Map<Answered, LongAdder> answered = new ConcurrentSkipListMap<>();
    private final Map<String, LongAdder> refused = new ConcurrentSkipListMap<>();
    private volatile int connections;
    private final LongAdder gone = new LongAdder();
    private final Histogram firstToken = new Histogram();
    private final Histogram betweenTokens = new Histogram();

    /// @param path of the endpoint, not what was asked for, of which there is no end
    void answered(String path, String method, int status) {
        count(answered, new Answered(path, method, status));
    }

    void refused(Refusal refusal) {
        String code = refusal.code();
        count(refused, code == null ? refusal.type() : code);
    }

    private static <K> void count(Map<K, LongAdder> counters, K key) {
        counters.computeIfAbsent(key, _ -> new LongAdder()).increment();
    }

    /// @param now how many connections there are
    void connections(int now) {
        connections = now;
    }

    int connections() {
        return connections;
    }

    /// Counts an answer for which nobody waited any more.
    void gone() {
        gone.increment();
    }

    /// @return the time to the first token of a text
    Histogram firstToken() {
        return firstToken;
    }

    /// @return the time between tokens of a text
    Histogram betweenTokens() {
        return betweenTokens;
    }

    long answered() {
        return answered.values().stream().mapToLong(LongAdder::sum).sum();
    }

    /// @return answers of that status
    long answered(int status) {
        return answered.entrySet().stream()
                .filter(entry -> entry.getKey().status == status)
                .mapToLong(entry -> entry.getValue().sum())
                .sum();
    }

    void write(Exposition out) {
        out.head("wok_requests_total", "counter", "Answers by endpoint, method and status.");
        answered.forEach((key, count) -> out.sample(
                "wok_requests_total",
                count.sum(),
                "path",
                key.path,
                "method",
                key.method,
                "status",
                Integer.toString(key.status)));
        out.head("wok_refused_total", "counter", "Refusals by reason.");
        refused.forEach((reason, count) -> out.sample("wok_refused_total", count.sum(), "reason", reason));
        out.only("wok_gone_total", "counter", "Answers whose client went away before their end.", gone.sum());
        out.only("wok_connections", "gauge", "Connections of clients.", connections);
        firstToken.write(out, "wok_time_to_first_token_seconds", "From a text's admission to its first piece.");
        betweenTokens.write(out, "wok_time_between_tokens_seconds", "Between two pieces of a text.");
    }
}
