/// Measurements: each figure beside a limit or a peer of the same run.
@org.jspecify.annotations.NullMarked
module wok.bench {
    requires static transitive org.jspecify;
    requires wok.api;
    requires wok.serve;
    requires wok.text;
    requires wok.train;
    requires wok.model;
    requires wok.generate;
    requires wok.emit;
    requires wok.fabric;
    requires transitive wok.kernel;
    requires transitive wok.notice;
    requires static jdk.incubator.vector;

    exports dev.wok.bench;
}
