package dev.wok.fabric;

/// Something that travels. What it reads may not be changed, and what it writes not be read, before [#await] returns.
public interface Transfer {
    /// Waits until it is done here: what this rank sends has been read, and what it receives has been written.
    void await();
}
