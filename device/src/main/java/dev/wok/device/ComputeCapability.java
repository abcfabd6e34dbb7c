package dev.wok.device;

/// Which instructions a GPU has, in NVIDIA's counting: 8.0 is Ampere, 9.0 Hopper, 10.0 Blackwell.
public record ComputeCapability(int major, int minor) {
    public boolean atLeast(int major, int minor) {
        return this.major > major || this.major == major && this.minor >= minor;
    }

    /// @return what PTX for exactly this chip names as its `.target`: `sm_80`, and from 9.0 on with the
    ///     instructions that only this chip has, `sm_90a`
    public String target() {
        return "sm_%d%d%s".formatted(major, minor, major >= 9 ? "a" : "");
    }

    @Override
    public String toString() {
        return major + "." + minor;
    }
}
