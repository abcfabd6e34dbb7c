package dev.wok.device;

/// A call of UCX that failed.
public final class UcxException extends RuntimeException {
    private static final long serialVersionUID = 1;
    private final int status;

    UcxException(String function, int status) {
        super("%s: status %d of UCX".formatted(function, status));
        this.status = status;
    }

    /// @return `ucs_status_t`, below 0
    public int status() {
        return status;
    }
}
