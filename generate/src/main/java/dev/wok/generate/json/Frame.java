package dev.wok.generate.json;

/// One value of the text, somewhere between its first byte and its last. A value whose last byte was read
/// has no frame any more.
///
/// From each frame that a step leads to, some bytes lead to the value's end.
sealed interface Frame
        permits Done, StartFrame, ScalarFrame, StringFrame, ArrayFrame, ObjectFrame, NameFrame, OtherNameFrame {
    /// Adds every stack that a byte leads to.
    ///
    /// @param below what this value is in, as it goes on after the value
    void step(int b, Stack below, Steps out);

    /// @return whether the value can end here without a further byte: only numbers can
    boolean mayEnd();

    /// @return a frame for which the same tokens are allowed
    default Frame forMask(Trie trie) {
        return this;
    }
}
