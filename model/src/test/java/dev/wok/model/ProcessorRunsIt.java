package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.device.HostDevice;
import dev.wok.kernel.Processor;
import dev.wok.notice.BadInput;
import org.junit.jupiter.api.extension.ConditionEvaluationResult;
import org.junit.jupiter.api.extension.ExecutionCondition;
import org.junit.jupiter.api.extension.ExtensionContext;

/// Skips tests that are repeated for an instruction set which the processor does not run.
final class ProcessorRunsIt implements ExecutionCondition {
    @Override
    public ConditionEvaluationResult evaluateExecutionCondition(ExtensionContext context) {
        try (HostDevice device = Device.host(1)) {
            return ConditionEvaluationResult.enabled(Processor.describe(device).reason());
        } catch (BadInput e) {
            return ConditionEvaluationResult.disabled(e.getMessage());
        }
    }
}
