/// Text and tokens: tokenizers and their training, chat templates, corpora, token shards.
@org.jspecify.annotations.NullMarked
module wok.text {
    requires static transitive org.jspecify;
    requires transitive wok.notice;
    requires tools.jackson.databind;

    exports dev.wok.text;
}
