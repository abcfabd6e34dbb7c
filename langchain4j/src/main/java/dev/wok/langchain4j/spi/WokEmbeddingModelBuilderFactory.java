package dev.wok.langchain4j.spi;

import dev.wok.langchain4j.WokEmbeddingModel;
import java.util.function.Supplier;

/// Makes what [WokEmbeddingModel#builder] gives, where one is provided as a service.
public interface WokEmbeddingModelBuilderFactory extends Supplier<WokEmbeddingModel.Builder> {}
