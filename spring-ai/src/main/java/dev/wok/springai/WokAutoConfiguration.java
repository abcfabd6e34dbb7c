package dev.wok.springai;

import dev.wok.api.Model;
import io.micrometer.observation.ObservationRegistry;
import org.springframework.ai.chat.observation.ChatModelObservationConvention;
import org.springframework.ai.model.SpringAIModelProperties;
import org.springframework.beans.factory.ObjectProvider;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.boot.autoconfigure.condition.ConditionalOnMissingBean;
import org.springframework.boot.autoconfigure.condition.ConditionalOnProperty;
import org.springframework.boot.context.properties.EnableConfigurationProperties;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Lazy;

/// Loads the model at `spring.ai.wok.model`, where there is one, and makes a [WokChatModel] and a
/// [WokEmbeddingModel] of it, unless `spring.ai.model.chat` or `spring.ai.model.embedding` name another
/// than `wok`. It is closed with the application.
@AutoConfiguration(beforeName = "org.springframework.ai.model.chat.client.autoconfigure.ChatClientAutoConfiguration")
@ConditionalOnProperty("spring.ai.wok.model")
@EnableConfigurationProperties(WokProperties.class)
public final class WokAutoConfiguration {
    private static final String WOK = "wok";

    WokAutoConfiguration() {}

    @Bean(destroyMethod = "close")
    @Lazy
    @ConditionalOnMissingBean
    Model wokModel(WokProperties properties) {
        return Model.load(properties.model(), properties.loading());
    }

    @Bean
    @ConditionalOnMissingBean
    @ConditionalOnProperty(name = SpringAIModelProperties.CHAT_MODEL, havingValue = WOK, matchIfMissing = true)
    WokChatModel wokChatModel(
            Model model,
            WokProperties properties,
            ObjectProvider<ObservationRegistry> observations,
            ObjectProvider<ChatModelObservationConvention> convention) {
        WokChatModel.Builder builder = WokChatModel.builder(model)
                .name(properties.called())
                .options(properties.chat().options())
                .observationRegistry(observations.getIfUnique(() -> ObservationRegistry.NOOP));
        convention.ifAvailable(builder::observationConvention);
        return builder.build();
    }

    @Bean
    @ConditionalOnMissingBean
    @ConditionalOnProperty(name = SpringAIModelProperties.EMBEDDING_MODEL, havingValue = WOK, matchIfMissing = true)
    WokEmbeddingModel wokEmbeddingModel(Model model, WokProperties properties) {
        return new WokEmbeddingModel(model, properties.called());
    }
}
