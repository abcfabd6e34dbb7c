package dev.wok.notice;

import java.util.concurrent.atomic.LongAdder;
import jdk.jfr.Category;
import jdk.jfr.Event;
import jdk.jfr.Label;
import jdk.jfr.Name;
import jdk.jfr.StackTrace;

/// The flight-recorder form of a [Progress.Task]: what was done, how many units, how long it took. Implementations
/// of [Progress] begin one per task.
@Name("dev.wok.Task")
@Label("Wok task")
@Category("Wok")
@StackTrace(false)
public final class TaskEvent extends Event {
    @Label("Name")
    String name = "";

    @Label("Unit")
    String unit = "";

    @Label("Units done")
    long units;

    private final transient LongAdder done = new LongAdder();

    private TaskEvent() {}

    /// @param name what is being done
    /// @param unit what is counted
    /// @return an event that has begun
    public static TaskEvent begin(String name, String unit) {
        TaskEvent event = new TaskEvent();
        event.name = name;
        event.unit = unit;
        event.begin();
        return event;
    }

    /// @param more units done since the last call; any thread
    public void advance(long more) {
        done.add(more);
    }

    /// Ends and records the event.
    public void finish() {
        units = done.sum();
        commit();
    }
}
