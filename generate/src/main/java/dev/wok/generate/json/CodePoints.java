package dev.wok.generate.json;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/// A set of Unicode code points.
///
/// @param ranges in ascending order, apart from each other
record CodePoints(List<Range> ranges) {
    static final int LAST = Character.MAX_CODE_POINT;
    static final CodePoints ANY = of(0, LAST);
    static final CodePoints DIGIT = of('0', '9');
    static final CodePoints WORD = of('a', 'z').or(of('A', 'Z')).or(DIGIT).or(of('_', '_'));

    /// White space and line ends of ECMAScript.
    static final CodePoints SPACE = of(9, 13)
            .or(of(' ', ' '))
            .or(of(0xA0, 0xA0))
            .or(of(0x1680, 0x1680))
            .or(of(0x2000, 0x200A))
            .or(of(0x2028, 0x2029))
            .or(of(0x202F, 0x202F))
            .or(of(0x205F, 0x205F))
            .or(of(0x3000, 0x3000))
            .or(of(0xFEFF, 0xFEFF));

    /// All but the line ends of ECMAScript.
    static final CodePoints DOT =
            of('\n', '\n').or(of('\r', '\r')).or(of(0x2028, 0x2029)).not();

    /// @param last inclusive
    record Range(int first, int last) {}

    static CodePoints of(int first, int last) {
        return new CodePoints(List.of(new Range(first, last)));
    }

    CodePoints or(CodePoints other) {
        List<Range> all = new ArrayList<>(ranges);
        all.addAll(other.ranges);
        all.sort(Comparator.comparingInt(Range::first));
        List<Range> merged = new ArrayList<>();
        for (Range range : all) {
            if (!merged.isEmpty() && range.first <= merged.getLast().last + 1) {
                Range before = merged.removeLast();
                merged.add(new Range(before.first, Math.max(before.last, range.last)));
            } else {
                merged.add(range);
            }
        }
        return new CodePoints(List.copyOf(merged));
    }

    CodePoints not() {
        List<Range> rest = new ArrayList<>();
        int from = 0;
        for (Range range : ranges) {
            if (range.first > from) {
                rest.add(new Range(from, range.first - 1));
            }
            from = range.last + 1;
        }
        if (from <= LAST) {
            rest.add(new Range(from, LAST));
        }
        return new CodePoints(List.copyOf(rest));
    }

    boolean contains(int codePoint) {
        int low = 0;
        int high = ranges.size() - 1;
        while (low <= high) {
            int middle = (low + high) / 2;
            Range range = ranges.get(middle);
            if (codePoint < range.first) {
                high = middle - 1;
            } else if (codePoint > range.last) {
                low = middle + 1;
            } else {
                return true;
            }
        }
        return false;
    }
}
