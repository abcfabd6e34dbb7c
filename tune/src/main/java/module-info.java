/// Post-training: fine-tuning on conversations, preferences, learning from rewards, distillation, and
/// the tasks and rewards that these need.
@org.jspecify.annotations.NullMarked
module wok.tune {
    requires static transitive org.jspecify;
    requires transitive wok.notice;
    requires transitive wok.model;
    requires transitive wok.text;
    requires transitive wok.generate;
    requires transitive wok.train;
    requires wok.device;
    requires wok.kernel;
    requires wok.tensor;
    requires dev.hardwood.core;
    requires com.github.luben.zstd_jni;
    requires java.logging;
    requires jdk.jfr;
    requires static java.compiler;
    requires tools.jackson.databind;
    requires org.snakeyaml.engine;

    exports dev.wok.tune;

    uses dev.wok.tune.Reward;
}
