package dev.wok.bench;

import dev.wok.bench.KernelRun.Ceiling;
import dev.wok.bench.LabelPlaces.Box;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// A roofline picture (S. Williams, A. Waterman and D. Patterson, 2009): arithmetic per byte to the right, arithmetic
/// per second upwards, both in powers of ten. Nothing can lie above the slope that memory sets and the ceilings that
/// the instructions set.
///
/// Colours are of middling brightness on no background, so the picture is readable on light and dark pages.
final class Roofline {
    private static final double WIDTH = 960;
    private static final double HEIGHT = 600;
    private static final Box PLOT = new Box(72, 56, WIDTH - 72 - 24, HEIGHT - 56 - 56);
    private static final double FONT = 12;
    private static final double CHARACTER = 0.58 * FONT;
    private static final double RADIUS = 4.5;
    private static final int SLOPE_PARTS = 60;
    private static final double SLOPE_TEXT_END = 0.98;
    private static final String TEXT = "#787d86";
    private static final String GRID = "#80808040";
    private static final String LEADER = "#787d8699";
    private static final String MEMORY = "#3f8f8f";
    private static final Map<String, String> COLOURS =
            Map.of("float32", "#4a82c4", "bf16", "#c76a2b", "int8", "#9a62b5");

    private final KernelRun run;
    private final Svg svg = new Svg();
    private final double left;
    private final double right;
    private final double bottom;
    private final double top;
    private final LabelPlaces places = new LabelPlaces(PLOT);

    private record Point(Row row, double intensity, double speed) {}

    private Roofline(KernelRun run, List<Point> points) {
        this.run = run;
        double leastIntensity =
                points.stream().mapToDouble(Point::intensity).min().orElse(1);
        double mostIntensity =
                points.stream().mapToDouble(Point::intensity).max().orElse(1);
        double leastSpeed = points.stream().mapToDouble(Point::speed).min().orElse(run.readGBs());
        double mostSpeed = points.stream().mapToDouble(Point::speed).max().orElse(run.readGBs());
        double highest = Math.max(
                mostSpeed,
                run.ceilings().stream()
                        .mapToDouble(Ceiling::gigaOperations)
                        .max()
                        .orElse(mostSpeed));
        left = Math.log10(Math.min(leastIntensity / 2, 0.2));
        right = Math.log10(Math.max(mostIntensity * 2.5, 6 * highest / run.readGBs()));
        bottom = Math.log10(Math.min(leastSpeed, run.readGBs() * Math.pow(10, left)) / 1.6);
        top = Math.log10(highest * 1.7);
    }

    static String svg(KernelRun run) {
        List<Point> points = run.rows().stream()
                .filter(row -> row.flopPerByte() > 0)
                .map(row -> new Point(
                        row,
                        row.flopPerByte(),
                        row.unit().equals(Work.GBS) ? row.value() * row.flopPerByte() : row.value()))
                .toList();
        return new Roofline(run, points).draw(points);
    }

    private String draw(List<Point> points) {
        svg.open(
                "svg",
                "xmlns",
                "http://www.w3.org/2000/svg",
                "viewBox",
                "0 0 %.0f %.0f".formatted(WIDTH, HEIGHT),
                "font-family",
                "system-ui, sans-serif",
                "font-size",
                FONT,
                "fill",
                TEXT);
        svg.text("title", "Roofline of " + run.processor());
        String setup = run.rows().stream()
                .findFirst()
                .map(row -> ", %s, %d thread%s"
                        .formatted(
                                row.setup().backend().equals("x86")
                                        ? row.setup().instructionSet()
                                        : row.setup().backend(),
                                row.setup().threads(),
                                row.setup().threads() == 1 ? "" : "s"))
                .orElse("");
        svg.text("text", "Kernels of Wok on " + run.processor() + setup, "x", PLOT.x(), "y", 28.0, "font-size", 16.0);
        axes();
        roofs();
        points.forEach(point -> places.block(
                new Box(x(point.intensity) - RADIUS - 2, y(point.speed) - RADIUS - 2, 2 * RADIUS + 4, 2 * RADIUS + 4)));
        List<Point> order = new ArrayList<>(points);
        order.sort(Comparator.comparingDouble(Point::speed).reversed());
        order.forEach(this::label);
        points.forEach(this::point);
        return svg.close("svg").toString();
    }

    private double x(double intensity) {
        return PLOT.x() + PLOT.width() * (Math.log10(intensity) - left) / (right - left);
    }

    private double y(double speed) {
        return PLOT.y() + PLOT.height() * (top - Math.log10(speed)) / (top - bottom);
    }

    private void axes() {
        double floor = PLOT.y() + PLOT.height();
        double end = PLOT.x() + PLOT.width();
        for (int power = (int) Math.ceil(left); power <= right; power++) {
            double at = x(Math.pow(10, power));
            line(at, PLOT.y(), at, floor, GRID, 1);
            svg.text("text", power(power), "x", at, "y", floor + 18, "text-anchor", "middle");
        }
        for (int power = (int) Math.ceil(bottom); power <= top; power++) {
            double at = y(Math.pow(10, power));
            line(PLOT.x(), at, end, at, GRID, 1);
            svg.text("text", power(power), "x", PLOT.x() - 8, "y", at + 4, "text-anchor", "end");
        }
        line(PLOT.x(), floor, end, floor, TEXT, 1);
        line(PLOT.x(), PLOT.y(), PLOT.x(), floor, TEXT, 1);
        svg.text("text", "FLOP per byte of memory traffic", "x", end, "y", floor + 40, "text-anchor", "end");
        svg.text("text", "GFLOP/s", "x", PLOT.x(), "y", PLOT.y() - 8, "text-anchor", "middle");
    }

    private static String power(int power) {
        return power >= 0
                ? String.format(Locale.ROOT, "%,.0f", Math.pow(10, power))
                : "0." + "0".repeat(-power - 1) + "1";
    }

    private void roofs() {
        double end = PLOT.x() + PLOT.width();
        double lowest = Math.pow(10, top);
        double highest = Math.pow(10, right) * run.readGBs();
        for (Ceiling ceiling : run.ceilings()) {
            lowest = Math.min(lowest, ceiling.gigaOperations());
        }
        for (Ceiling ceiling : run.ceilings()) {
            double operations = ceiling.gigaOperations();
            double from = operations / (operations == lowest ? run.moveGBs() : run.readGBs());
            double at = y(operations);
            line(x(from), at, end, at, colour(ceiling.name()), 1.5);
            String unit = ceiling.name().equals("int8") ? "GOP/s" : "GFLOP/s";
            String text = String.format(Locale.ROOT, "%s %,.0f %s", ceiling.name(), operations, unit);
            svg.text("text", text, "x", end, "y", at - 6, "text-anchor", "end", "fill", colour(ceiling.name()));
            double width = text.length() * CHARACTER;
            places.block(new Box(end - width, at - 6 - FONT, width, FONT + 4));
            places.block(new Box(x(from), at - 2, end - x(from), 4));
            highest = operations;
        }
        slope("plain read of memory", run.readGBs(), highest, "none");
        slope("reads and writes", run.moveGBs(), lowest, "5 4");
    }

    /// What memory allows, up to a ceiling; the text stands over the upper end, where no kernels are.
    private void slope(String name, double gigaBytes, double ceiling, String dashes) {
        double from = Math.pow(10, left);
        double x = x(from);
        double y = y(from * gigaBytes);
        double dx = x(ceiling / gigaBytes) - x;
        double dy = y(ceiling) - y;
        svg.element(
                "line",
                "x1",
                x,
                "y1",
                y,
                "x2",
                x + dx,
                "y2",
                y + dy,
                "stroke",
                MEMORY,
                "stroke-width",
                1.5,
                "stroke-dasharray",
                dashes);
        String text = String.format(Locale.ROOT, "%s %.0f GB/s", name, gigaBytes);
        svg.text(
                "text",
                text,
                "transform",
                String.format(
                        Locale.ROOT,
                        "translate(%.1f %.1f) rotate(%.1f)",
                        x + dx * SLOPE_TEXT_END,
                        y + dy * SLOPE_TEXT_END,
                        Math.toDegrees(Math.atan2(dy, dx))),
                "dy",
                -7.0,
                "text-anchor",
                "end",
                "fill",
                MEMORY);
        double length = text.length() * CHARACTER / Math.hypot(dx, dy);
        for (int i = 0; i < SLOPE_PARTS; i++) {
            double part = (double) i / SLOPE_PARTS;
            double above = part > SLOPE_TEXT_END - length ? FONT + 10 : 2;
            double width = dx / SLOPE_PARTS;
            double height = Math.abs(dy) / SLOPE_PARTS;
            places.block(new Box(x + dx * part, y + dy * part - height - above, width, height + above + 2));
        }
    }

    private void label(Point point) {
        String text = point.row.name();
        double width = text.length() * CHARACTER;
        double px = x(point.intensity);
        double py = y(point.speed);
        Box box = places.place(px, py, width, FONT + 4);
        double nearX = Math.clamp(px, box.x(), box.x() + box.width());
        double nearY = Math.clamp(py, box.y() + 2, box.y() + box.height() - 2);
        if (Math.hypot(nearX - px, nearY - py) > 2.5 * RADIUS) {
            line(px, py, nearX, nearY, LEADER, 1);
        }
        String anchor = box.x() >= px ? "start" : box.x() + box.width() <= px ? "end" : "middle";
        double at = box.x() + (anchor.equals("start") ? 0 : anchor.equals("end") ? width : width / 2);
        svg.text("text", text, "x", at, "y", box.y() + FONT, "text-anchor", anchor);
    }

    private void point(Point point) {
        Row row = point.row;
        String title = String.format(
                Locale.ROOT,
                "%s: %.1f %s, %.2f of %.1f (%s)",
                row.name(),
                row.value(),
                row.unit(),
                row.ratio(),
                row.againstValue(),
                row.against());
        svg.open(
                "circle",
                "cx",
                x(point.intensity),
                "cy",
                y(point.speed),
                "r",
                RADIUS,
                "fill",
                row.unit().equals(Work.GBS)
                        ? MEMORY
                        : colour(row.setup().precision().replace("f32", "float32")),
                "data-row",
                row.name());
        svg.text("title", title).close("circle");
    }

    private static String colour(String precision) {
        return COLOURS.getOrDefault(precision, TEXT);
    }

    private void line(double x1, double y1, double x2, double y2, String colour, double width) {
        svg.element("line", "x1", x1, "y1", y1, "x2", x2, "y2", y2, "stroke", colour, "stroke-width", width);
    }
}
