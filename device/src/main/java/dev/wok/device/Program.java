package dev.wok.device;

/// Machine code that is called with up to six 64-bit arguments. Made by [HostDevice#load], which frees
/// it.
///
/// Addresses are passed as they are: who calls has checked every range that the code will touch, and
/// keeps the memory alive.
@FunctionalInterface
public interface Program {
    /// @return whether this system hands out executable pages the way it is done here
    static boolean supported() {
        return Pages.available();
    }

    default void call(long a) {
        call(a, 0, 0);
    }

    default void call(long a, long b) {
        call(a, b, 0);
    }

    default void call(long a, long b, long c) {
        call(a, b, c, 0, 0, 0);
    }

    default void call(long a, long b, long c, long d) {
        call(a, b, c, d, 0, 0);
    }

    default void call(long a, long b, long c, long d, long e) {
        call(a, b, c, d, e, 0);
    }

    void call(long a, long b, long c, long d, long e, long f);
}
