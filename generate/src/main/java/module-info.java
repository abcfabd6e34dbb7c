/// Generation: from a model's logits to token ids. It knows no text.
@org.jspecify.annotations.NullMarked
module wok.generate {
    requires static transitive org.jspecify;
    requires transitive wok.model;
    requires transitive wok.notice;
    requires tools.jackson.databind;

    exports dev.wok.generate;
}
