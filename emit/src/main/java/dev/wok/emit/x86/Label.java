package dev.wok.emit.x86;

/// A place in the code, made by [X86#label] and put by [X86#bind].
public final class Label {
    static final int UNBOUND = -1;

    int position = UNBOUND;

    Label() {}
}
