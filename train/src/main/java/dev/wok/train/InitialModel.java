package dev.wok.train;

import dev.wok.kernel.Routing;
import dev.wok.model.MlaConfig;
import dev.wok.model.Model;
import dev.wok.model.ModelConfig;
import dev.wok.model.MoeConfig;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Gguf;
import dev.wok.text.Tokenizer;
import java.nio.file.Path;
import java.util.Map;

/// A model folder that a run starts from: it decides the model's shape and the tokenizer.
final class InitialModel {
    private InitialModel() {}

    /// A run's settings with the model's shape in the place of the preset's.
    ///
    /// @param preset whose shape counts as not asked for
    /// @throws BadInput where the folder holds no model, its tokenizer has more ids than its vocabulary, or
    ///     the settings ask for another shape
    static Settings shape(Path init, String preset, Settings settings) {
        if (Gguf.find(init).isPresent()) {
            throw new BadInput("%s is a GGUF model; training starts from a folder with config.json.".formatted(init));
        }
        ModelConfig config = Model.config(init, Progress.silent());
        int ids = Tokenizer.load(init).size();
        if (ids > config.vocabSize()) {
            throw new BadInput("%s: the tokenizer has %d ids, the model's vocabulary only %d."
                    .formatted(init, ids, config.vocabSize()));
        }
        int length = settings.batches().sequenceLength();
        if (length > config.maxPositionEmbeddings()) {
            throw new BadInput(
                    "sequence_length %d is longer than the %d positions of the model in %s (its max_position_embeddings); lower it."
                            .formatted(length, config.maxPositionEmbeddings(), init));
        }
        Settings shaped = new Settings(
                architecture(init, config, settings.architecture()),
                settings.batches(),
                settings.optimizer(),
                settings.balance(),
                settings.text(),
                settings.compute(),
                settings.run());
        Map<String, Object> usual = Settings.preset(preset).values();
        Map<String, Object> given = settings.values();
        shaped.values().forEach((key, value) -> {
            Object asked = given.get(key);
            if (!value.equals(asked) && !usual.getOrDefault(key, "").equals(asked)) {
                throw new BadInput("%s %s was given, but the model in %s has %s; leave it out or start without --init."
                        .formatted(key, asked, init, value));
            }
        });
        return shaped;
    }

    /// @param otherwise what stands for the experts of a model that has none
    private static Settings.Architecture architecture(Path init, ModelConfig config, Settings.Architecture otherwise) {
        if (!(config.attention() instanceof MlaConfig mla)) {
            throw new BadInput("the model in %s is a %s model, expected deepseek_v3 or deepseek_v2 to train on from."
                    .formatted(init, config.family().modelType()));
        }
        MoeConfig moe = config.moe();
        return new Settings.Architecture(
                config.vocabSize(),
                config.hiddenSize(),
                config.intermediateSize(),
                moe == null ? otherwise.moeIntermediateSize() : moe.moeIntermediateSize(),
                config.numHiddenLayers(),
                config.numAttentionHeads(),
                mla.qLoraRank(),
                mla.kvLoraRank(),
                mla.qkNopeHeadDim(),
                mla.qkRopeHeadDim(),
                mla.vHeadDim(),
                moe == null ? otherwise.nRoutedExperts() : moe.nRoutedExperts(),
                moe == null ? otherwise.nSharedExperts() : moe.nSharedExperts(),
                moe == null ? otherwise.numExpertsPerTok() : moe.numExpertsPerTok(),
                moe == null ? otherwise.nGroup() : moe.nGroup(),
                moe == null ? otherwise.topkGroup() : moe.topkGroup(),
                moe == null ? otherwise.normTopkProb() : moe.normTopkProb(),
                moe == null ? otherwise.routedScalingFactor() : moe.routedScalingFactor(),
                moe == null
                        ? otherwise.scoringFunc()
                        : moe.scoringFunc() == Routing.Scoring.SIGMOID ? "sigmoid" : "softmax",
                moe == null ? config.numHiddenLayers() : config.firstKDenseReplace(),
                config.numNextnPredictLayers(),
                config.tieWordEmbeddings(),
                config.rope().theta(),
                config.maxPositionEmbeddings(),
                config.initializerRange(),
                config.rmsNormEps());
    }
}
