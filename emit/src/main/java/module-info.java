/// Instructions as values: bytes for a processor, made without one.
@org.jspecify.annotations.NullMarked
module wok.emit {
    requires static transitive org.jspecify;

    exports dev.wok.emit.x86;
}
