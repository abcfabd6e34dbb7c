package dev.wok.train;

import dev.wok.fabric.Fabric;
import dev.wok.fabric.Membership;
import dev.wok.notice.Progress;
import java.time.Duration;
import java.util.Map;
import java.util.function.Function;

/// How the ranks of a run come together. Whoever calls becomes rank 0, the leader; the others are [Follower]s.
public interface Ranks {
    /// @return how many there are, the leader included
    int size();

    /// Brings the group together, where it is not, and leads it.
    ///
    /// @param leading with the leader's place in the group
    /// @return what leading gave
    /// @throws dev.wok.notice.BadInput where the group does not come together
    /// @throws dev.wok.fabric.Departed where a rank goes before its time
    <T> T lead(Progress progress, Function<Fabric, T> leading);

    /// The leader alone.
    static Ranks alone() {
        return new Ranks() {
            @Override
            public int size() {
                return 1;
            }

            @Override
            public <T> T lead(Progress progress, Function<Fabric, T> leading) {
                try (Fabric fabric = Fabric.alone()) {
                    return leading.apply(fabric);
                }
            }
        };
    }

    /// Threads of this process.
    static Ranks threads(int count) {
        return threads(count, Membership.patience(Map.of()), Membership.limit(Map.of()));
    }

    /// Threads of this process.
    ///
    /// @param patience how long one waits for another before it names it
    /// @param limit how long one waits before it gives up
    static Ranks threads(int count, Duration patience, Duration limit) {
        return new RankThreads(count, patience, limit);
    }

    /// A group that is together already: processes that somebody else started.
    ///
    /// @param fabric rank 0's place; stays the caller's
    static Ranks joined(Fabric fabric) {
        return new Ranks() {
            @Override
            public int size() {
                return fabric.size();
            }

            @Override
            public <T> T lead(Progress progress, Function<Fabric, T> leading) {
                return leading.apply(fabric);
            }
        };
    }
}
