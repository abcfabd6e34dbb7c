/// The server: the HTTP API that clients of language models speak, and pages for people.
@org.jspecify.annotations.NullMarked
module wok.serve {
    requires static transitive org.jspecify;
    requires transitive wok.api;
    requires io.netty.codec;
    requires io.vertx.core;
    requires tools.jackson.databind;

    exports dev.wok.serve;
}
