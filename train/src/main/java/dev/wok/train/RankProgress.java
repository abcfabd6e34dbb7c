package dev.wok.train;

import dev.wok.notice.Progress;

/// What a follower has to say, with its number before it; its tasks are the leader's too, and only that shows them.
///
/// @param progress where lines go
record RankProgress(int rank, Progress progress) implements Progress {
    @Override
    public Task start(String name, long total, String unit) {
        return Progress.silent().start(name, total, unit);
    }

    @Override
    public void say(String line) {
        progress.say("rank %d: %s".formatted(rank, line));
    }
}
