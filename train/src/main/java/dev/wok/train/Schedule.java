package dev.wok.train;

/// The learning rate as a function of progress alone: a straight rise, a plateau, a fall to the end.
///
/// With warm-up share `w`, decay share `d` and progress `p` in (0, 1]: `peak * p / w` while `p < w`; `peak` until
/// `1 - d`; then, with `q = (p - (1 - d)) / d`, `min + (peak - min) * (1 + cos(pi q)) / 2`, or
/// `peak + (min - peak) * q` where the fall is linear.
record Schedule(double peak, double min, double warmupShare, double decayShare, boolean cosine) {

    static Schedule of(Settings.Optimizer optimizer) {
        return new Schedule(
                optimizer.learningRate(),
                optimizer.minLearningRate(),
                optimizer.warmupShare(),
                optimizer.decayShare(),
                optimizer.decayShape().equals("cosine"));
    }

    /// How much of the run is behind, as the step sees it that has just begun: the larger of the shares of steps
    /// (this step included) and of minutes, at most 1.
    ///
    /// @param step counts from 0
    /// @param elapsedSeconds of training before this step, earlier sittings included
    static double progress(Settings.Batches limits, long step, double elapsedSeconds) {
        double bySteps = limits.steps() == 0 ? 0 : (step + 1.0) / limits.steps();
        double byMinutes = limits.minutes() == 0 ? 0 : elapsedSeconds / (60 * limits.minutes());
        return Math.min(1, Math.max(bySteps, byMinutes));
    }

    /// @param progress share of the run that is behind, 0 to 1
    double rate(double progress) {
        if (progress < warmupShare) {
            return peak * progress / warmupShare;
        }
        if (progress <= 1 - decayShare) {
            return peak;
        }
        double fallen = (progress - (1 - decayShare)) / decayShare;
        // StrictMath: the same bits on every machine.
        return cosine ? min + (peak - min) * (1 + StrictMath.cos(Math.PI * fallen)) / 2 : peak + (min - peak) * fallen;
    }
}
