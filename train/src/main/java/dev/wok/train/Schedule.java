package dev.wok.train;

/// The learning rate as a function of progress alone: a straight rise, a plateau, a fall to the end.
///
/// With warm-up share `w`, decay share `d` and progress `p` in (0, 1]: `peak * p / w` while `p < w`; `peak` until
/// `1 - d`; then, with `q = (p - (1 - d)) / d`, `min + (peak - min) * (1 + cos(pi q)) / 2`, or
/// `peak + (min - peak) * q` where the fall is linear.
public record Schedule(double peak, double min, double warmupShare, double decayShare, boolean cosine) {

    /// @return the one that the settings describe
    public static Schedule of(Settings.Optimizer optimizer) {
        return new Schedule(
                optimizer.learningRate(),
                optimizer.minLearningRate(),
                optimizer.warmupShare(),
                optimizer.decayShare(),
                optimizer.decayShape().equals("cosine"));
    }

    /// The share of the minutes before which a run that has a number of steps too does not look at the clock:
    /// its first steps are slow, since the machine code is not yet compiled, and say little about the whole.
    static final double PATIENCE = 0.25;

    /// What counts as behind when no time has passed yet, so that a run by minutes alone learns from its first step.
    private static final double BEGUN = 1e-3;

    /// How much of the run is behind, as the step sees it that has just begun: the share of its steps (this
    /// step included) or of its minutes, at most 1. Where it has both, its steps count alone until a quarter of
    /// the minutes has passed, and then whichever share is larger: a machine that is then ahead of the clock,
    /// and stays there, never sees it and computes the same numbers each time.
    ///
    /// @param step counts from 0
    /// @param elapsedSeconds of training before this step, earlier sittings included
    static double progress(Settings.Batches limits, long step, double elapsedSeconds) {
        double bySteps = limits.steps() == 0 ? 0 : (step + 1.0) / limits.steps();
        double byMinutes = limits.minutes() == 0 ? 0 : Math.max(BEGUN, elapsedSeconds / (60 * limits.minutes()));
        boolean stepsAlone = limits.steps() > 0 && byMinutes < PATIENCE;
        return Math.min(1, stepsAlone ? bySteps : Math.max(bySteps, byMinutes));
    }

    /// @param progress share of the run that is behind, 0 to 1
    /// @return the learning rate
    public double rate(double progress) {
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
