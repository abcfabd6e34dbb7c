package dev.wok.springai;

import dev.wok.api.Model;
import dev.wok.api.Reply;
import dev.wok.notice.BadInput;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationRegistry;
import io.micrometer.observation.contextpropagation.ObservationThreadLocalAccessor;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.springframework.ai.chat.model.ChatModel;
import org.springframework.ai.chat.model.ChatResponse;
import org.springframework.ai.chat.observation.ChatModelObservationContext;
import org.springframework.ai.chat.observation.ChatModelObservationConvention;
import org.springframework.ai.chat.observation.ChatModelObservationDocumentation;
import org.springframework.ai.chat.observation.DefaultChatModelObservationConvention;
import org.springframework.ai.chat.prompt.ChatOptions;
import org.springframework.ai.chat.prompt.Prompt;
import reactor.core.publisher.Flux;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.util.context.ContextView;

/// A language model of Wok as a chat model of Spring AI, in the same process.
///
/// ```java
/// try (var model = Model.load(Path.of("models/qwen"))) {
///     System.out.println(WokChatModel.builder(model).build().call("What is the capital of France?"));
/// }
/// ```
///
/// Messages are text. Thoughts are in the message's metadata under `thinking`. Tools are asked for and
/// not called: as with other models a `ChatClient` calls them. A stream is computed as it is asked for,
/// on virtual threads; cancelling it ends the answer after the step in progress. Many threads may use a
/// model at once.
///
/// @see WokChatOptions
public final class WokChatModel implements ChatModel {
    private static final Scheduler THREADS =
            Schedulers.fromExecutor(task -> Thread.ofVirtual().name("wok-reply").start(task));

    private static final ChatModelObservationConvention USUAL = new DefaultChatModelObservationConvention();

    private final Model model;
    private final String name;
    private final WokChatOptions options;
    private final ObservationRegistry observations;
    private final @Nullable ChatModelObservationConvention convention;

    private WokChatModel(Builder builder) {
        model = builder.model;
        name = builder.name;
        options = builder.options.mutate().model(name).build();
        observations = builder.observations;
        convention = builder.convention;
    }

    /// @param model stays the caller's, who closes it
    /// @return to build one
    public static Builder builder(Model model) {
        return new Builder(model);
    }

    /// Builds a [WokChatModel].
    public static final class Builder {
        private final Model model;
        private String name = "wok";
        private WokChatOptions options = WokChatOptions.builder().build();
        private ObservationRegistry observations = ObservationRegistry.NOOP;
        private @Nullable ChatModelObservationConvention convention;

        private Builder(Model model) {
            this.model = model;
        }

        /// @param value what responses call the model, and what prompts may; `wok` where it is not
        ///     called otherwise
        /// @return this
        public Builder name(String value) {
            name = value;
            return this;
        }

        /// @param value what holds where a prompt has no options
        /// @return this
        public Builder options(WokChatOptions value) {
            options = value;
            return this;
        }

        /// @param value who is told of calls
        /// @return this
        public Builder observationRegistry(ObservationRegistry value) {
            observations = value;
            return this;
        }

        /// @param value what it is told, where not what is usual
        /// @return this
        public Builder observationConvention(ChatModelObservationConvention value) {
            convention = value;
            return this;
        }

        /// @return the model
        public WokChatModel build() {
            return new WokChatModel(this);
        }
    }

    /// @throws BadInput where the model refuses the prompt or its options
    @Override
    public ChatResponse call(Prompt prompt) {
        Prompt asked = asked(prompt);
        ChatModelObservationContext context = context(asked, false);
        ChatResponse response = observation(context).observe(() -> {
            ChatResponse whole = responses(asked).whole();
            context.setResponse(whole);
            return whole;
        });
        return Objects.requireNonNull(response);
    }

    /// Refusals, which [#call] throws, are errors of the stream.
    @Override
    public Flux<ChatResponse> stream(Prompt prompt) {
        return Flux.deferContextual(subscriber -> observed(asked(prompt), subscriber));
    }

    private Flux<ChatResponse> observed(Prompt asked, ContextView subscriber) {
        ChatModelObservationContext context = context(asked, true);
        Observation observation = observation(context);
        observation.parentObservation(subscriber.getOrDefault(ObservationThreadLocalAccessor.KEY, null));
        observation.start();
        return Flux.defer(() -> responses(asked).parts(context::setResponse))
                .subscribeOn(THREADS)
                .doOnError(observation::error)
                .doFinally(_ -> observation.stop())
                .contextWrite(all -> all.put(ObservationThreadLocalAccessor.KEY, observation));
    }

    /// Options of another kind say what they can, and this model's own the rest.
    private Prompt asked(Prompt prompt) {
        ChatOptions given = prompt.getOptions();
        WokChatOptions all = switch (given) {
            case null -> options;
            case WokChatOptions wok -> wok;
            default -> WokChatOptions.with(given, options.mutate()).build();
        };
        if (all.getModel() != null && !all.getModel().equals(name)) {
            throw new BadInput("model '%s' is asked for, this one is '%s'; leave it out or ask another ChatModel."
                    .formatted(all.getModel(), name));
        }
        return prompt.mutate().chatOptions(all).build();
    }

    private Responses responses(Prompt asked) {
        WokChatOptions all = (WokChatOptions) Objects.requireNonNull(asked.getOptions());
        Reply reply = model.chat(Prompts.messages(asked.getInstructions()), Prompts.options(all));
        return new Responses(name, reply);
    }

    private static ChatModelObservationContext context(Prompt asked, boolean streaming) {
        return ChatModelObservationContext.builder()
                .prompt(asked)
                .provider("wok")
                .streaming(streaming)
                .build();
    }

    private Observation observation(ChatModelObservationContext context) {
        return ChatModelObservationDocumentation.CHAT_MODEL_OPERATION.observation(
                convention, USUAL, () -> context, observations);
    }

    @Override
    public WokChatOptions getOptions() {
        return options;
    }
}
