package dev.wok.tensor;

/// The parts of quantised elements: element `i` is `scales[i / group] * integers[i] - minima[i /
/// group]`.
///
/// The product is exact in `float` for every type, so that an element is rounded once where there is a
/// minimum and not at all where that is 0.
///
/// @param group how many neighbours share a scale and a minimum
/// @param integers one per element
/// @param scales one per group
/// @param minima one per group; 0 where the type has none
public record GgufParts(int group, byte[] integers, float[] scales, float[] minima) {

    static GgufParts allocate(int group, int elements) {
        return new GgufParts(group, new byte[elements], new float[elements / group], new float[elements / group]);
    }

    /// @return element `i`
    public float value(int i) {
        return scales[i / group] * integers[i] - minima[i / group];
    }
}
