package dev.wok.fabric;

/// What a rank asks another's experts for: for each token that goes there its slots there, in the order in
/// which their rows are added up.
///
/// @param slots by token
/// @param terms `[choices]`: what becomes of each row, see [Terms]
/// @param weights `[choices]`
record Visits(Lists slots, byte[] terms, float[] weights) {}
