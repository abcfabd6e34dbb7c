package dev.wok.tune;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.SequencedMap;

/// A way to post-train: what is learnt in a step. [Run] does what is the same for all: the folder,
/// checkpoints and resuming, guards, the log and the report.
///
/// What a step learns from is a pure function of the weights, the step's number and what [#save]
/// wrote, so that a resumed run continues bit for bit.
interface Method extends AutoCloseable {
    /// @return such as `grpo`
    String name();

    /// @return how many steps the whole run has
    long steps();

    /// Learns a step.
    ///
    /// @param step counts from 1
    /// @param learningRate that the schedule gives this step
    /// @return figures for the log by name, in the order to be written: numbers; `loss` and
    ///     `grad_norm` among them, `reward`, `entropy`, `kl` where there are such, which the guards
    ///     watch
    SequencedMap<String, Object> step(long step, double learningRate);

    /// @return what the last step would show people: maps with `prompt`, `text`, `reward`, `reason`
    ///     where there are such
    List<SequencedMap<String, Object>> samples();

    /// Measures on what is held out.
    ///
    /// @return figures by name, empty where nothing is held out
    SequencedMap<String, Object> evaluate();

    /// Writes what the next step needs beside weights and optimizer into a checkpoint's folder.
    default void save(Path folder) throws IOException {}

    /// Reads what [#save] wrote.
    default void restore(Path folder) throws IOException {}

    @Override
    void close();
}
