package dev.wok.fabric;

/// A list of numbers for each of some tokens: that of token `i` is `all[from[i]]` to `all[from[i + 1]]`.
record Lists(int[] from, int[] all) {
    int count() {
        return from.length - 1;
    }
}
