package dev.wok.springai;

import dev.wok.api.Model;
import dev.wok.device.DeviceName;
import dev.wok.model.Storage;
import dev.wok.notice.BadInput;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.context.properties.ConfigurationProperties;
import org.springframework.boot.context.properties.bind.DefaultValue;

/// What `spring.ai.wok` says: which model, how it is loaded, and how it answers.
///
/// @param model a model folder or a GGUF file
/// @param name what it is called; the last part of the path where it is not called otherwise
/// @param device `cpu`, `cuda`, `cuda:N` or `emulated`
/// @param weights `f32`, `bf16`, `int8`, `fp8` or `int4`: what matrices are held as; without, what they
///     are stored as
/// @param threads how many compute; without, as many as there are processors
/// @param chat how it answers where a prompt has no options
@ConfigurationProperties("spring.ai.wok")
public record WokProperties(
        Path model,
        @Nullable String name,
        @DefaultValue("cpu") String device,
        @Nullable String weights,
        @Nullable Integer threads,
        @DefaultValue Chat chat) {
    private static final String PREFIX = "spring.ai.wok.";

    /// What `spring.ai.wok.chat` says. What is null is as usual.
    ///
    /// @see WokChatOptions
    public record Chat(
            @Nullable Integer maxTokens,
            @Nullable Double temperature,
            @Nullable Integer topK,
            @Nullable Double topP,
            @Nullable Double minP,
            @Nullable Double frequencyPenalty,
            @Nullable Double presencePenalty,
            @Nullable Double repetitionPenalty,
            @Nullable List<String> stopSequences,
            @Nullable Long seed,
            @Nullable Boolean thinking,
            @Nullable String reasoningEffort,
            @Nullable Integer maxThinkingTokens) {
        WokChatOptions options() {
            return WokChatOptions.builder()
                    .maxTokens(maxTokens)
                    .temperature(temperature)
                    .topK(topK)
                    .topP(topP)
                    .minP(minP)
                    .frequencyPenalty(frequencyPenalty)
                    .presencePenalty(presencePenalty)
                    .repetitionPenalty(repetitionPenalty)
                    .stopSequences(stopSequences)
                    .seed(seed)
                    .thinking(thinking)
                    .reasoningEffort(reasoningEffort)
                    .maxThinkingTokens(maxThinkingTokens)
                    .build();
        }
    }

    String called() {
        return Objects.requireNonNullElseGet(
                name,
                () -> Objects.requireNonNullElse(model.getFileName(), model).toString());
    }

    /// @throws BadInput where a value is none of those that are known
    Model.Options loading() {
        Model.Options options = Model.Options.defaults().withDevice(DeviceName.parse(PREFIX + "device", device));
        if (weights != null) {
            Storage storage = Storage.byName().get(weights);
            if (storage == null) {
                throw new BadInput(PREFIX
                        + "weights %s: expected %s."
                                .formatted(
                                        weights,
                                        String.join(", ", Storage.byName().keySet())));
            }
            options = options.withWeights(storage);
        }
        return threads == null ? options : options.withThreads(threads);
    }
}
