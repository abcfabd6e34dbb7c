package dev.wok.spark;

import java.util.Map;
import java.util.concurrent.atomic.AtomicReference;
import org.apache.spark.api.plugin.DriverPlugin;
import org.apache.spark.api.plugin.ExecutorPlugin;
import org.apache.spark.api.plugin.PluginContext;
import org.apache.spark.api.plugin.SparkPlugin;
import org.apache.spark.util.SignalUtils;

/// The way from tasks to the driver, over the connection that Spark has anyway. Spark makes it, by
/// its name.
public final class RanksPlugin implements SparkPlugin {
    private static final AtomicReference<Desk> DESK = new AtomicReference<>();
    private static final AtomicReference<PluginContext> CONTEXT = new AtomicReference<>();

    /// Made by Spark.
    public RanksPlugin() {}

    /// Where messages go from now on; of the driver's process.
    static void deliverTo(Desk desk) {
        DESK.set(desk);
    }

    /// Tells the driver, from an executor's process.
    ///
    /// @return whether the run shall stop
    static boolean tell(Message message) throws Exception {
        PluginContext context = CONTEXT.get();
        if (context == null) {
            throw new IllegalStateException("the executor runs without " + RanksPlugin.class.getName());
        }
        return (Boolean) context.ask(message);
    }

    @Override
    public DriverPlugin driverPlugin() {
        return new DriverPlugin() {
            @Override
            public Object receive(Object message) {
                return DESK.get().receive((Message) message);
            }
        };
    }

    @Override
    public ExecutorPlugin executorPlugin() {
        return new ExecutorPlugin() {
            @Override
            public void init(PluginContext context, Map<String, String> configuration) {
                CONTEXT.set(context);
                // Ctrl-C in the terminal of a local cluster reaches all its processes; only the driver is to act.
                SignalUtils.register("INT", () -> true);
            }
        };
    }
}
