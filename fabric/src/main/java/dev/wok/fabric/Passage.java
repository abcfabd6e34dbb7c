package dev.wok.fabric;

import java.lang.foreign.MemorySegment;

/// Bytes that go from one rank to another, seen from either ([Fabric#move]).
///
/// @param peer the other one
/// @param bytes as many on both
public record Passage(int peer, MemorySegment bytes) {}
