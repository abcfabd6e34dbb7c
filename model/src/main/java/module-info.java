/// Models: configurations in the checkpoint's own words, layers with forward and backward, checkpoint folders.
@org.jspecify.annotations.NullMarked
module wok.model {
    requires static transitive org.jspecify;
    requires transitive wok.kernel;
    requires transitive wok.fabric;
    requires transitive wok.notice;
    requires tools.jackson.databind;

    exports dev.wok.model;
}
