package dev.wok.model;

import dev.wok.device.Device;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.Gguf;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/// What a model is read from.
sealed interface Source extends AutoCloseable permits CheckpointFolder, ConvertedFolder, GgufModel, RandomWeights {
    /// @throws BadInput where there is none, or its files are broken
    static Source open(Path path) {
        Optional<Path> gguf = Gguf.find(path);
        if (gguf.isPresent()) {
            return GgufModel.open(gguf.get());
        }
        if (!Files.isDirectory(path)) {
            throw new BadInput("there is no model folder %s.".formatted(path));
        }
        ConfigJson json = ConfigJson.open(path);
        Storage converted = json.storage();
        return converted == null ? CheckpointFolder.open(path, json) : ConvertedFolder.open(path, json, converted);
    }

    /// @return the configuration, without multi-token prediction where its tensors are not there
    /// @throws BadInput where the tensors are not those of the configuration: known before memory is
    ///     taken for them
    ModelConfig config(Progress progress);

    /// @return what keeps the weights as they are stored, as nearly as packed weights can
    Storage asStored();

    /// @return all tensors in the order of the files
    List<Inspection.Entry> entries();

    /// Fills weights of this [#config].
    ///
    /// @param device that they are on
    void read(Weights weights, Device device, Progress progress);

    @Override
    void close();
}
