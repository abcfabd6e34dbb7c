package dev.wok.text;

import java.util.Arrays;

/// A binary heap of numbers, the smallest first.
final class LongHeap {
    private long[] items = new long[64];
    private int size;

    boolean isEmpty() {
        return size == 0;
    }

    void clear() {
        size = 0;
    }

    void add(long item) {
        if (size == items.length) {
            items = Arrays.copyOf(items, 2 * size);
        }
        int i = size++;
        while (i > 0 && items[(i - 1) >>> 1] > item) {
            items[i] = items[(i - 1) >>> 1];
            i = (i - 1) >>> 1;
        }
        items[i] = item;
    }

    long first() {
        return items[0];
    }

    long remove() {
        long first = items[0];
        long last = items[--size];
        int i = 0;
        while (2 * i + 1 < size) {
            int child = 2 * i + 1;
            if (child + 1 < size && items[child + 1] < items[child]) {
                child++;
            }
            if (items[child] >= last) {
                break;
            }
            items[i] = items[child];
            i = child;
        }
        items[i] = last;
        return first;
    }
}
