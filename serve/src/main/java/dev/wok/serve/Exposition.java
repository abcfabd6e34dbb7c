package dev.wok.serve;

/// Figures in the text form that Prometheus reads (exposition format 0.0.4).
final class Exposition {
    static final String CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

    private final StringBuilder text = new StringBuilder();

    /// Begins a figure.
    ///
    /// @param type `counter`, `gauge` or `histogram`
    void head(String name, String type, String help) {
        text.append("# HELP ").append(name).append(' ').append(help).append('\n');
        text.append("# TYPE ").append(name).append(' ').append(type).append('\n');
    }

    /// @param labels names and values in turn
    void sample(String name, Number value, String... labels) {
        text.append(name);
        for (int i = 0; i < labels.length; i += 2) {
            text.append(i == 0 ? '{' : ',').append(labels[i]).append("=\"");
            text.append(
                    labels[i + 1].replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n"));
            text.append('"');
        }
        text.append(labels.length > 0 ? "} " : " ");
        text.append(value).append('\n');
    }

    /// A figure without labels.
    void only(String name, String type, String help, Number value) {
        head(name, type, help);
        sample(name, value);
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
