package dev.wok.notice;

/// Shows nothing; tasks still appear in flight recordings.
final class SilentProgress implements Progress {
    static final SilentProgress INSTANCE = new SilentProgress();

    private SilentProgress() {}

    @Override
    public Task start(String name, long total, String unit) {
        TaskEvent event = TaskEvent.begin(name, unit);
        return new Task() {
            @Override
            public void advance(long units) {
                event.advance(units);
            }

            @Override
            public void detail(String text) {}

            @Override
            public void close() {
                event.finish();
            }
        };
    }

    @Override
    public void say(String line) {}
}
