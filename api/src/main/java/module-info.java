/// The door for Java programs: text in, text out. Here text and models meet.
@org.jspecify.annotations.NullMarked
module wok.api {
    requires static transitive org.jspecify;
    requires transitive wok.generate;
    requires transitive wok.kernel;
    requires transitive wok.model;
    requires transitive wok.notice;
    requires transitive wok.tensor;
    requires transitive wok.text;
    requires tools.jackson.databind;
    requires wok.device;

    exports dev.wok.api;
}
