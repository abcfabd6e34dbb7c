package dev.wok.model;

/// A pass's part in taking turns with another one, see [Turns]. A pass that has none to take turns
/// with does not wait.
sealed interface Turn permits Turn.Alone, Turns.Side {
    Turn ALONE = new Alone();

    /// Lets the other pass compute until it does the same: called where this one would wait for
    /// other ranks.
    void hand();

    /// Waits, in the second pass, until the first one has called [#lead]: called before it adds to
    /// sums that passes reach at several places.
    void follow();

    /// Lets the second pass go on behind [#follow].
    void lead();

    /// No other pass.
    record Alone() implements Turn {
        @Override
        public void hand() {}

        @Override
        public void follow() {}

        @Override
        public void lead() {}
    }
}
