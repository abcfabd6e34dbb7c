package dev.wok.langchain4j.spi;

import dev.wok.langchain4j.WokStreamingChatModel;
import java.util.function.Supplier;

/// Makes what [WokStreamingChatModel#builder] gives, where one is provided as a service.
public interface WokStreamingChatModelBuilderFactory extends Supplier<WokStreamingChatModel.Builder> {}
