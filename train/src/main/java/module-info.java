/// Training: settings and presets, the loop, checkpoints and resume, evaluation, the run's report.
@org.jspecify.annotations.NullMarked
module wok.train {
    requires static transitive org.jspecify;
    requires transitive wok.notice;
    requires transitive wok.fabric;
    requires transitive wok.model;
    requires transitive wok.text;
    requires wok.device;
    requires wok.kernel;
    requires wok.tensor;
    requires tools.jackson.databind;
    requires org.snakeyaml.engine;

    exports dev.wok.train;
}
