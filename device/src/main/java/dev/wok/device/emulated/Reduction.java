package dev.wok.device.emulated;

/// What `cp.reduce` does with numbers.
record Reduction(Type type, Updates update) {
    void apply(Region region, long offset, byte[] data, int from, int bytes) {
        int width = type.bytes();
        for (int i = 0; i < bytes; i += width) {
            long added = 0;
            for (int j = 0; j < width; j++) {
                added |= (data[from + i + j] & 0xFFL) << 8 * j;
            }
            region.set(offset + i, width, update.apply(region.get(offset + i, width), added, 0));
        }
    }
}
