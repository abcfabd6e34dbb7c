/// What any room says to its user: progress of long work, refusal of bad input.
@org.jspecify.annotations.NullMarked
module wok.notice {
    requires static transitive org.jspecify;
    requires jdk.jfr;

    exports dev.wok.notice;
}
