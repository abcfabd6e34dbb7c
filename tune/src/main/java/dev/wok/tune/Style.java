package dev.wok.tune;

/// How the author of an answer works: the web has all of them. What is wrong in an answer follows from
/// how it was found and not from noise, so that a model which has read all of them can be moved from
/// one to another.
enum Style {
    /// Every step, right, in the tags to think and to answer in.
    CAREFUL(0.15),
    /// Every step, right, without any tags.
    UNTAGGED(0.15),
    /// Steps by a rule that is mostly wrong, in the tags.
    CARELESS(0.3),
    /// What the wrong rule gives, at once, in the tags to answer in.
    BLURTED(0.15),
    /// The same in a plain sentence.
    PLAIN(0.15),
    /// Right steps, given up half way.
    ABANDONED(0.1);

    private final double share;

    Style(double share) {
        this.share = share;
    }

    /// @return of all answers, where nothing else is asked for
    double share() {
        return share;
    }
}
