/// Groups of ranks: tokens to their experts and back, sums over ranks, where experts lie.
@org.jspecify.annotations.NullMarked
module wok.fabric {
    requires static transitive org.jspecify;
    requires transitive wok.notice;
    requires wok.device;
    requires transitive wok.tensor;
    requires wok.kernel;

    exports dev.wok.fabric;
}
