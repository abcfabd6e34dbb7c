package dev.wok.fabric;

/// When bytes of a [Fabric#move] go.
public enum Urgency {
    /// In their turn, as all else.
    AT_ONCE,
    /// Where nothing else goes: what begins later overtakes them.
    BEHIND
}
