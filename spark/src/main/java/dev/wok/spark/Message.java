package dev.wok.spark;

import java.io.Serializable;
import java.util.List;

/// What a rank's task tells the driver. The answer is whether the run shall stop.
sealed interface Message extends Serializable {
    /// @return which try of the job the task belongs to
    int attempt();

    /// The task runs, and its rank is about to.
    record Begun(int attempt, int rank) implements Message {}

    /// The machine of a task lacks Wok's jars.
    record Lacking(int attempt) implements Message {}

    /// Rank 0 lives.
    ///
    /// @param out what it printed
    /// @param err what it said
    /// @param step the last one that it finished; -1 where that is not known
    record Alive(int attempt, List<String> out, List<String> err, long step) implements Message {}

    /// A rank has ended by itself.
    ///
    /// @param code its exit code; 128 and more where a signal ended it
    /// @param said the last line of its error stream
    record Ended(int attempt, int rank, String host, int code, String said) implements Message {}
}
