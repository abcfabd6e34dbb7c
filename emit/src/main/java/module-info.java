/// Instructions as values: bytes and text for processors, made without one.
@org.jspecify.annotations.NullMarked
module wok.emit {
    requires static transitive org.jspecify;

    exports dev.wok.emit.ptx;
    exports dev.wok.emit.x86;
}
