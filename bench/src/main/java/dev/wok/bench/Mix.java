package dev.wok.bench;

/// A mix of reads and writes that a loop does vector by vector, without computing anything. Bytes count once for each
/// vector that the program reads or writes, whatever the caches do about it.
///
/// @param text for people
/// @param reads streams that are read
/// @param writes streams that are written
/// @param inPlace whether the streams that are written are the first of those that are read, or others
record Mix(String text, int reads, int writes, boolean inPlace) {
    static final Mix READ = new Mix("plain read", 1, 0, false);
    static final Mix COPY = new Mix("copy, as many bytes read as written", 1, 1, false);
    static final Mix NARROW = new Mix("two bytes read for one written elsewhere", 2, 1, false);
    static final Mix UPDATE = new Mix("one read and one write in place", 1, 1, true);
    static final Mix OPTIMIZE = new Mix("four reads and three writes in place", 4, 3, true);

    /// @return how many streams there are
    int streams() {
        return inPlace ? reads : reads + writes;
    }

    /// @return the stream that the `i`-th write goes to
    int target(int i) {
        return inPlace ? i : reads + i;
    }
}
