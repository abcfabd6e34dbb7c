package dev.wok.fabric;

import java.io.IOException;
import java.util.Locale;
import org.junit.jupiter.api.Test;

class PlacementPictureTest {
    private static final int LEFT = 60;
    private static final int TOP = 48;
    private static final int ROW = 18;
    private static final int PANEL = 400;
    private static final String[] COLOURS = {"#fcd34d", "#86efac", "#bae6fd", "#fdba74"};

    @Test
    void pictureIsOfThePlacements() throws IOException {
        double[] load = TrainedLoads.read("unbalanced", 1).known();
        Eplb eplb = Eplb.alike(Shape.oneMachine(8), 3, 1);
        Placement even = Placement.even(16, 8);
        Placement placed = eplb.level(eplb.place(load), load);
        StringBuilder svg = new StringBuilder("""
                <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 900 220" font-family="system-ui, sans-serif" font-size="11">
                <rect width="100%" height="100%" fill="#fff"/>
                """);
        panel(svg, LEFT, "Neighbours together", even, load, eplb);
        panel(svg, LEFT + PANEL + 20, "As many replicas as ranks", placed, load, eplb);
        Pictures.check("placement.svg", svg.append("</svg>\n").toString());
    }

    private static void panel(
            StringBuilder svg, int left, String title, Placement placement, double[] load, Eplb eplb) {
        double mean = 0;
        for (double each : load) {
            mean += each / placement.ranks();
        }
        double unit = PANEL / (4 * mean);
        int[] replicas = placement.replicas();
        svg.append(line(
                "<text x=\"%d\" y=\"18\" font-size=\"13\">%s: largest over mean %.2f</text>",
                left, title, eplb.imbalance(placement, load)));
        for (int rank = 0; rank < placement.ranks(); rank++) {
            int y = TOP + rank * ROW;
            double x = left;
            for (int expert : placement.slots()[rank]) {
                double width = load[expert] / replicas[expert] * unit;
                svg.append(line(
                        "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\" stroke=\"#fff\"/>",
                        x, y, width, ROW - 2, COLOURS[expert % COLOURS.length]));
                if (width > 16) {
                    svg.append(line(
                            "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%d</text>",
                            x + width / 2, y + 12, expert));
                }
                x += width;
            }
            if (left == LEFT) {
                svg.append(line("<text x=\"%d\" y=\"%d\" text-anchor=\"end\">rank %d</text>", left - 8, y + 12, rank));
            }
        }
        double at = left + mean * unit;
        int bottom = TOP + placement.ranks() * ROW;
        svg.append(line(
                "<path d=\"M%.1f %dV%d\" stroke=\"#b91c1c\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">mean</text>",
                at, TOP - 4, bottom, at, bottom + 14));
    }

    private static String line(String format, Object... values) {
        return String.format(Locale.ROOT, format, values) + "\n";
    }
}
