package dev.wok.train;

import dev.wok.fabric.Fabric;
import dev.wok.fabric.Overlap;
import dev.wok.fabric.Trace;
import dev.wok.notice.Progress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SequencedMap;
import org.jspecify.annotations.Nullable;

/// Keeps timelines of some of a run's steps. All ranks call [#begin] and [#end] around every step; rank 0 writes.
final class StepTraces {
    private final Fabric fabric;
    private final TracedSteps steps;
    private final @Nullable Path file;
    private final Progress progress;
    private final List<Trace> traces = new ArrayList<>();

    /// @param fabric of the model
    /// @param file of rank 0; null elsewhere
    StepTraces(Fabric fabric, Settings.Run settings, @Nullable Path file, Progress progress) {
        this.fabric = fabric;
        this.steps = TracedSteps.parse(settings.traceSteps());
        this.file = file;
        this.progress = progress;
    }

    void begin(long step) {
        if (steps.contains(step)) {
            fabric.timeline().record();
        }
    }

    /// @return on rank 0 how each rank spent a step that is traced; else nothing
    List<Map<String, Object>> end(long step) {
        if (!steps.contains(step)) {
            return List.of();
        }
        List<Trace> ofStep = Trace.gather(fabric, fabric.timeline().take(fabric.rank(), step));
        if (file == null) {
            return List.of();
        }
        traces.addAll(ofStep);
        TraceFile.write(file, traces);
        long lost = ofStep.stream().mapToLong(Trace::lost).sum();
        if (lost > 0) {
            progress.say("the timeline of step %d lacks %,d spans for want of room.".formatted(step, lost));
        }
        return ofStep.stream().map(StepTraces::figures).toList();
    }

    private static Map<String, Object> figures(Trace trace) {
        Overlap overlap = Overlap.of(trace);
        SequencedMap<String, Object> figures = new LinkedHashMap<>();
        figures.put("rank", trace.rank());
        figures.put("seconds", overlap.total() * 1e-9);
        figures.put("compute_seconds", overlap.compute() * 1e-9);
        figures.put("exchange_seconds", overlap.exchange() * 1e-9);
        figures.put("wait_seconds", overlap.waiting() * 1e-9);
        if (overlap.exchange() > 0) {
            figures.put("exchange_hidden", overlap.hiddenShare());
        }
        return figures;
    }
}
