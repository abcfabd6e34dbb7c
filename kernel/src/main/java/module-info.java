/// Operations on device memory: one door per operation, its implementations in packages that nobody else sees.
@org.jspecify.annotations.NullMarked
module wok.kernel {
    requires static transitive org.jspecify;
    requires transitive wok.tensor;
    requires wok.emit;
    requires transitive wok.device;
    requires static jdk.incubator.vector;

    exports dev.wok.kernel;
}
