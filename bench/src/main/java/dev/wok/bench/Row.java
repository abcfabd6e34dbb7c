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
/// @param flopPerByte arithmetic for each byte that must come from memory or go there, 0 where that says nothing
/// @param setup what it was measured with
public record Row(
        String name,
        double value,
        String unit,
        String against,
        double againstValue,
        double ratio,
        double flopPerByte,
        Setup setup) {
    static Row of(String name, double value, String unit, String against, double againstValue, Setup setup) {
        return of(name, value, unit, against, againstValue, 0, setup);
    }

    static Row of(
            String name,
            double value,
            String unit,
            String against,
            double againstValue,
            double flopPerByte,
            Setup setup) {
        return new Row(name, value, unit, against, againstValue, value / againstValue, flopPerByte, setup);
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
        if (flopPerByte > 0) {
            values.put("flop_per_byte", flopPerByte);
        }
        values.putAll(setup.values());
        return values;
    }
}
