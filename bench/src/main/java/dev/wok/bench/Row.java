package dev.wok.bench;

import java.util.LinkedHashMap;
import java.util.SequencedMap;

/// One measured figure beside a limit or a peer that was measured in the same run.
///
/// @param name what was measured
/// @param value the figure
/// @param unit of both figures
/// @param against what it is held against
/// @param againstValue the other figure
/// @param ratio `value / againstValue`
public record Row(String name, double value, String unit, String against, double againstValue, double ratio) {
    static Row of(String name, double value, String unit, String against, double againstValue) {
        return new Row(name, value, unit, against, againstValue, value / againstValue);
    }

    /// @return the row as programs read it
    public SequencedMap<String, Object> values() {
        SequencedMap<String, Object> values = new LinkedHashMap<>();
        values.put("name", name);
        values.put("value", value);
        values.put("unit", unit);
        values.put("against", against);
        values.put("against_value", againstValue);
        values.put("ratio", ratio);
        return values;
    }
}
