package dev.wok.langchain4j.spi;

import dev.wok.langchain4j.WokChatModel;
import java.util.function.Supplier;

/// Makes what [WokChatModel#builder] gives, where one is provided as a service.
public interface WokChatModelBuilderFactory extends Supplier<WokChatModel.Builder> {}
