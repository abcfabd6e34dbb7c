package dev.wok.device.cuda;

import dev.wok.device.CudaException;

/// The driver's primary context of one GPU. It is made current for each call, since threads come and go.
final class CudaContext {
    private final CudaCalls calls;
    private final int device;
    private final long handle;
    private volatile boolean released;

    private CudaContext(CudaCalls calls, int device, long handle) {
        this.calls = calls;
        this.device = device;
        this.handle = handle;
    }

    static CudaContext retain(CudaCalls calls, int ordinal) {
        int device = (int) calls.out(DriverFunction.DEVICE_GET, ordinal);
        return new CudaContext(calls, device, calls.out(DriverFunction.PRIMARY_CTX_RETAIN, device));
    }

    int device() {
        return device;
    }

    long handle() {
        return handle;
    }

    void requireOpen() {
        if (released) {
            throw new IllegalStateException("this GPU is closed");
        }
    }

    private void enter() {
        requireOpen();
        calls.run(DriverFunction.CTX_SET_CURRENT, handle);
    }

    void run(DriverFunction function, long... words) {
        enter();
        calls.run(function, words);
    }

    int status(DriverFunction function, long... words) {
        enter();
        return calls.status(function, words);
    }

    long out(DriverFunction function, long... rest) {
        enter();
        return calls.out(function, rest);
    }

    /// @return a status for people
    String text(int status) {
        return calls.text(status);
    }

    CudaException failure(int status, String call) {
        return calls.failure(status, call);
    }

    /// Gives something back, come what may before.
    void end(DriverFunction function, long... words) {
        new Closing().then(this::enter).then(() -> calls.run(function, words)).end();
    }

    void release() {
        if (!released) {
            released = true;
            calls.run(DriverFunction.PRIMARY_CTX_RELEASE, device);
        }
    }
}
