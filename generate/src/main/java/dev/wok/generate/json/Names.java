package dev.wok.generate.json;

import org.jspecify.annotations.Nullable;

/// The names that an object has had and its schema does not declare.
final class Names {
    /// How many an object may have, so that each can be compared with all before.
    static final int MOST = 256;

    static final Names NONE = new Names(Bytes.NONE, null);

    private final Bytes last;
    private final @Nullable Names rest;
    private final int size;
    private final int hash;

    private Names(Bytes last, @Nullable Names rest) {
        this.last = last;
        this.rest = rest;
        size = rest == null ? 0 : rest.size + 1;
        hash = rest == null ? 0 : 31 * rest.hash + last.hashCode();
    }

    Names plus(Bytes name) {
        return new Names(name, this);
    }

    int size() {
        return size;
    }

    boolean contains(Bytes name) {
        Names at = this;
        while (at.rest != null) {
            if (at.last.equals(name)) {
                return true;
            }
            at = at.rest;
        }
        return false;
    }

    /// @return whether one of them begins so
    boolean contain(Bytes beginning) {
        Names at = this;
        while (at.rest != null) {
            if (at.last.startsWith(beginning)) {
                return true;
            }
            at = at.rest;
        }
        return false;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        Names a = this;
        Names b = other instanceof Names names ? names : null;
        while (a != b) {
            if (a == null || b == null || a.hash != b.hash || !a.last.equals(b.last)) {
                return false;
            }
            a = a.rest;
            b = b.rest;
        }
        return true;
    }

    @Override
    public int hashCode() {
        return hash;
    }
}
