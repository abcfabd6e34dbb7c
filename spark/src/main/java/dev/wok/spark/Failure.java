package dev.wok.spark;

/// What ended a try.
///
/// @param rank whose task it was
/// @param host its machine
/// @param cause in the order in which causes explain one another
/// @param said by the rank, or by Spark
record Failure(int rank, String host, Cause cause, String said) {
    /// What the line begins with that a program says before it fails.
    static final String LAST_WORD = "wok: ";

    private static final int SIGNALS = 128;
    private static final int REFUSAL = 2;

    enum Cause {
        /// Its executor or its machine has gone.
        LOST,
        /// A signal ended it.
        KILLED,
        /// It refused its input: no use in trying again.
        REFUSED,
        /// Anything else, among it that another rank has gone.
        FAILED
    }

    static Failure of(Message.Ended ended) {
        Cause cause = ended.code() >= SIGNALS ? Cause.KILLED : ended.code() == REFUSAL ? Cause.REFUSED : Cause.FAILED;
        String word = ended.said().startsWith(LAST_WORD) ? ended.said().substring(LAST_WORD.length()) : ended.said();
        String said = cause == Cause.KILLED ? "signal " + (ended.code() - SIGNALS) : word;
        return new Failure(ended.rank(), ended.host(), cause, said.isBlank() ? "exit code " + ended.code() : said);
    }

    /// @return whether the cause lies outside of the program
    boolean fromOutside() {
        return cause == Cause.LOST || cause == Cause.KILLED;
    }

    @Override
    public String toString() {
        return switch (cause) {
            case LOST -> "rank %d on %s was lost with its executor (%s)".formatted(rank, host, said);
            case KILLED -> "rank %d on %s was killed (%s)".formatted(rank, host, said);
            case REFUSED, FAILED -> "rank %d on %s ended: %s".formatted(rank, host, said);
        };
    }
}
