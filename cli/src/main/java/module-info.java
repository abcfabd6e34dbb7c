/// The `wok` command: the only room that prints and exits.
@org.jspecify.annotations.NullMarked
module wok.cli {
    requires static org.jspecify;
    requires info.picocli;
    requires tools.jackson.databind;
    requires wok.api;
    requires wok.bench;
    requires wok.device;
    requires wok.fabric;
    requires wok.generate;
    requires wok.kernel;
    requires wok.model;
    requires wok.notice;
    requires wok.serve;
    requires wok.tensor;
    requires wok.text;
    requires wok.train;
    requires wok.tune;
    requires java.management;
    requires java.net.http;

    opens dev.wok.cli to
            info.picocli;
}
