package dev.wok.fabric;

/// How rows travel home: sums rounded, rows by themselves as they are, so that where an expert lies changes no bit.
///
/// @param sums what a sum travels as
/// @param rows what a row by itself travels as: as a sum would, where nothing is summed before it is home
record Homeward(Wire sums, Wire rows) {
    static Homeward of(Exchange.Desc desc) {
        Wire sums = Wire.of(desc.combine(), desc.hidden());
        boolean same = desc.alone() == desc.combine();
        return new Homeward(sums, same ? sums : Wire.of(desc.alone(), desc.hidden()));
    }

    Wire of(byte term) {
        return Terms.isAlone(term) ? rows : sums;
    }

    /// @return of all that these become
    long bytes(byte[] terms) {
        long bytes = 0;
        for (byte term : terms) {
            bytes += term == Terms.JOINS ? 0 : of(term).rowBytes();
        }
        return bytes;
    }
}
