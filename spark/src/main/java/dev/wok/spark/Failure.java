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

    /// Of a rank whose leader was asked to stop.
    private static final int LEADER_STOPPED = 130;

    enum Cause {
        /// Its executor or its machine has gone.
        LOST,
        /// A signal ended it.
        KILLED,
        /// It refused its input: no use in trying again.
        REFUSED,
        /// Anything else, among it that another rank has gone.
        FAILED,
        /// It ended without a last word: the rank that it follows says why.
        SILENT
    }

    static Failure of(Message.Ended ended) {
        int code = ended.code();
        if (code >= SIGNALS) {
            return new Failure(ended.rank(), ended.host(), Cause.KILLED, "signal " + (code - SIGNALS));
        }
        boolean word = ended.said().startsWith(LAST_WORD);
        Cause cause = code == REFUSAL ? Cause.REFUSED : word ? Cause.FAILED : Cause.SILENT;
        String said = word ? ended.said().substring(LAST_WORD.length()) : ended.said();
        String name = "rank %d: ".formatted(ended.rank());
        String plain = said.startsWith(name) ? said.substring(name.length()) : said;
        return new Failure(ended.rank(), ended.host(), cause, plain.isBlank() ? "exit code " + code : plain);
    }

    /// @return whether a rank ended because its leader does, which says why or was asked to
    static boolean isTheLeaders(Message.Ended ended) {
        return ended.code() == LEADER_STOPPED || (ended.code() != 0 && of(ended).cause == Cause.SILENT);
    }

    /// @return whether the cause lies outside of the program
    boolean fromOutside() {
        return cause == Cause.LOST || cause == Cause.KILLED;
    }

    /// A clause, without a full stop.
    @Override
    public String toString() {
        String clause = said.endsWith(".") ? said.substring(0, said.length() - 1) : said;
        return switch (cause) {
            case LOST -> "rank %d on %s was lost with its executor (%s)".formatted(rank, host, clause);
            case KILLED -> "rank %d on %s was killed (%s)".formatted(rank, host, clause);
            case REFUSED, FAILED, SILENT -> "rank %d on %s ended: %s".formatted(rank, host, clause);
        };
    }
}
