package dev.wok.fabric;

import dev.wok.fabric.DualPipe.Kind;
import dev.wok.fabric.DualPipe.Step;
import dev.wok.fabric.DualPipe.Work;
import dev.wok.fabric.PipelineRun.Times;
import java.io.IOException;
import java.util.List;
import java.util.Locale;
import org.junit.jupiter.api.Test;

class PipelinePictureTest {
    private static final Times TIMES = new Times(1, 1, 1, 2.5);
    private static final int LEFT = 60;
    private static final int TOP = 30;
    private static final int ROW = 26;
    private static final double WIDTH = 840;

    @Test
    void picturesAreOfTheSchedules() throws IOException {
        check("dualpipe.svg", DualPipe.twoWay(4, 12), "Two directions: 4 ranks, 12 micro-batches");
        check("dualpipe-v.svg", DualPipe.vShape(4, 10), "Folded: 4 ranks with 2 stages each, 10 micro-batches");
    }

    private static void check(String name, DualPipe schedule, String title) throws IOException {
        Pictures.check(name, svg(PipelineRun.of(schedule, TIMES), title));
    }

    private static String svg(PipelineRun run, String title) {
        int ranks = run.spans().length;
        double unit = WIDTH / run.makespan();
        int bottom = TOP + ranks * ROW;
        StringBuilder svg = new StringBuilder();
        svg.append("""
                <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="system-ui, sans-serif" font-size="11">
                <rect width="100%%" height="100%%" fill="#fff"/>
                <text x="%d" y="18" font-size="13">%s; idle %s of %s units</text>
                """.formatted((int) WIDTH + LEFT + 10, bottom + 34, LEFT, title, idle(run), number(run.makespan())));
        for (int rank = 0; rank < ranks; rank++) {
            int y = TOP + rank * ROW;
            svg.append(
                    "<text x=\"%d\" y=\"%d\" text-anchor=\"end\">rank %d</text>\n".formatted(LEFT - 8, y + 17, rank));
            List<Step> steps = run.schedule().ranks().get(rank);
            for (int i = 0; i < steps.size(); i++) {
                PipelineRun.Span span = run.spans()[rank][i];
                double x = LEFT + span.begin() * unit;
                double width = (span.end() - span.begin()) * unit;
                List<Work> works = steps.get(i).works();
                int height = (ROW - 2) / works.size();
                for (int part = 0; part < works.size(); part++) {
                    svg.append(box(
                            works.get(part),
                            x,
                            y + part * height,
                            width,
                            height,
                            run.schedule().stages()));
                }
            }
        }
        String[] legend = {"forward", "backward", "backward, input alone", "weights, deferred; darker: later stages"};
        for (int i = 0; i < legend.length; i++) {
            int x = LEFT + i * 170;
            svg.append(
                    "<rect x=\"%d\" y=\"%d\" width=\"12\" height=\"12\" fill=\"%s\"/><text x=\"%d\" y=\"%d\">%s</text>\n"
                            .formatted(
                                    x, bottom + 12, colour(Kind.values()[i], false), x + 18, bottom + 22, legend[i]));
        }
        return svg.append("</svg>\n").toString();
    }

    private static String box(Work work, double x, int y, double width, int height, int stages) {
        return String.format(
                Locale.ROOT,
                "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\" stroke=\"#fff\"/>"
                        + "<text x=\"%.1f\" y=\"%d\" font-size=\"9\" text-anchor=\"middle\">%d</text>\n",
                x,
                y,
                width,
                height,
                colour(work.kind(), work.stage() >= stages / 2),
                x + width / 2,
                y + height / 2 + 3,
                work.microBatch());
    }

    /// Stages of the second half are darker.
    private static String colour(Kind kind, boolean far) {
        return switch (kind) {
            case FORWARD -> far ? "#f59e0b" : "#fcd34d";
            case BACKWARD -> far ? "#22c55e" : "#86efac";
            case BACKWARD_INPUT -> far ? "#38bdf8" : "#bae6fd";
            case BACKWARD_WEIGHT -> far ? "#a3a3a3" : "#d4d4d4";
        };
    }

    private static String idle(PipelineRun run) {
        double least = Double.POSITIVE_INFINITY;
        double most = 0;
        for (int rank = 0; rank < run.spans().length; rank++) {
            least = Math.min(least, run.idle(rank));
            most = Math.max(most, run.idle(rank));
        }
        return least == most ? number(most) : number(least) + " to " + number(most);
    }

    private static String number(double value) {
        return value == Math.rint(value) ? "%d".formatted((long) value) : String.format(Locale.ROOT, "%.1f", value);
    }
}
