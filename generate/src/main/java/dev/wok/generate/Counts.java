package dev.wok.generate;

/// What an [Engine] did since it was made. For the engine's thread.
final class Counts {
    private long promptTokens;
    private long knownTokens;
    private long newTokens;
    private long steps;
    private long drafts;
    private long accepted;

    void step() {
        steps++;
    }

    void prompt(Text.Seen seen) {
        promptTokens += seen.known() + seen.read();
        knownTokens += seen.known();
    }

    void picked(int tokens) {
        newTokens += tokens;
    }

    void drafted(boolean right) {
        drafts++;
        accepted += right ? 1 : 0;
    }

    Engine.Activity activity(Scheduler scheduler, PagePool pool, int sequences) {
        return new Engine.Activity(
                scheduler.running(),
                scheduler.waiting(),
                sequences,
                pool.pages() - pool.available(),
                pool.kept(),
                pool.pages(),
                promptTokens,
                knownTokens,
                newTokens,
                steps,
                new Generation.Drafts(drafts, accepted));
    }
}
