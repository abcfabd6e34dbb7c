/// Devices: their memory, their streams of work, and the host's worker pool. The only room that may
/// link native code.
@org.jspecify.annotations.NullMarked
module wok.device {
    requires static transitive org.jspecify;
    requires java.management;
    requires jdk.management;
    requires transitive wok.tensor;

    exports dev.wok.device;
}
