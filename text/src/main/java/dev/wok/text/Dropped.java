package dev.wok.text;

/// Why a document is not in the corpus, in the words of the summary.
enum Dropped {
    DUPLICATE("duplicates"),
    TABLE("tables"),
    GENERATED("generated"),
    EMPTY("empty"),
    NOT_UTF8("not UTF-8"),
    BINARY("binary"),
    BOMB("too large when unpacked");

    final String words;

    Dropped(String words) {
        this.words = words;
    }
}
