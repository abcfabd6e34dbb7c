package dev.wok.text;

/// A token that is recognised in the text as a whole, before any splitting.
///
/// @param content its text; already normalised where `normalized`
/// @param singleWord matched only where no word character touches it
/// @param lstrip takes the white space before it
/// @param rstrip takes the white space after it
/// @param normalized looked for in the normalised text, otherwise in the text as given
record AddedToken(int id, String content, boolean singleWord, boolean lstrip, boolean rstrip, boolean normalized) {}
