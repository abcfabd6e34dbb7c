package dev.wok.api;

import dev.wok.device.Device;
import dev.wok.device.DeviceName;
import dev.wok.generate.Constraint;
import dev.wok.generate.Engine;
import dev.wok.generate.Request;
import dev.wok.generate.Sampling;
import dev.wok.generate.Vocabulary;
import dev.wok.kernel.Backend;
import dev.wok.kernel.Kernels;
import dev.wok.kernel.Precision;
import dev.wok.kernel.Tuning;
import dev.wok.model.ModelConfig;
import dev.wok.model.Pooling;
import dev.wok.model.Storage;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import dev.wok.tensor.DType;
import dev.wok.tensor.Gguf;
import dev.wok.tensor.Tensor;
import dev.wok.text.ChatTemplate;
import dev.wok.text.Tokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/// A language model with its tokenizer, ready to answer: the door of this room.
///
/// ```java
/// import dev.wok.api.Answer;
/// import dev.wok.api.Message;
/// import dev.wok.api.Model;
/// import java.nio.file.Path;
/// import java.util.List;
///
/// void main() {
///     try (var model = Model.load(Path.of("runs/nano/model"))) {
///         model.generate("public static void main(").forEach(System.out::print);
///
///         var options = Answer.Options.defaults().withMaxTokens(50).withStops("\n");
///         Answer answer = model.generate("import java.util.", options);
///         System.out.println(answer.text() + " (" + answer.finishReason() + ")");
///
///         if (model.hasChatTemplate()) {
///             System.out.println(model.chat(List.of(Message.user("Hello!"))).text());
///         }
///     }
/// }
/// ```
///
/// Many threads may use a model at once. It works for all answers together, and what was read for one
/// is not read again for another that begins alike. What an answer says does not depend on the others.
public final class Model implements AutoCloseable {
    private static final String TOKENIZER = "tokenizer.json";

    /// How a model is loaded: [#defaults], changed by the `with` methods.
    ///
    /// @param device where the model is and computes
    /// @param backend the kernels; empty for the fastest that run there
    /// @param dtype F32; BF16: weights and what enters matrix products rounded to bfloat16; or, on the
    ///     reference kernels, F64
    /// @param weights what matrices are held as; empty for what is stored, or, in BF16, for that
    /// @param threads how many compute
    /// @param text whether to load the tokenizer; without it a model takes ids alone
    /// @param speculation whether tokens are guessed by multi-token prediction, where the model has it
    /// @param kept where what is read of texts is kept for later runs; empty for nowhere
    /// @param progress is told what takes time
    public record Options(
            DeviceName device,
            Optional<Backend> backend,
            DType dtype,
            Optional<Storage> weights,
            int threads,
            boolean text,
            Engine.Speculation speculation,
            Optional<Kept> kept,
            Progress progress) {
        /// Files for later runs of the same model that begin alike.
        ///
        /// @param folder is made where it is missing; several models and processes may share it
        /// @param bytes that its files may take; those that were not used for longest go
        public record Kept(Path folder, long bytes) {}

        public Options {
            boolean known = dtype == DType.F32 || dtype == DType.BF16;
            if (!known && !(dtype == DType.F64 && backend.equals(Optional.of(Backend.REFERENCE)))) {
                throw new BadInput("dtype %s: expected f32, bf16, or f64 with the reference backend."
                        .formatted(dtype.name().toLowerCase(Locale.ROOT)));
            }
            if (dtype == DType.F64 && weights.isPresent()) {
                throw new BadInput("dtype f64 holds weights as they are, leave out what they shall be.");
            }
            if (dtype == DType.F64 && kept.isPresent()) {
                throw new BadInput("dtype f64 keeps nothing for later runs, leave out the folder.");
            }
            if (threads < 1) {
                throw new BadInput("threads is %d, expected at least 1.".formatted(threads));
            }
        }

        /// @return the fastest kernels, float32, weights as stored, all processors, the tokenizer,
        ///     guesses where they make it faster, and no word about progress
        public static Options defaults() {
            int processors = Runtime.getRuntime().availableProcessors();
            return new Options(
                    DeviceName.CPU,
                    Optional.empty(),
                    DType.F32,
                    Optional.empty(),
                    processors,
                    true,
                    Engine.Speculation.WHERE_FASTER,
                    Optional.empty(),
                    Progress.silent());
        }

        /// @return these on another device, with its kernels' usual arithmetic: bfloat16 on a GPU
        public Options withDevice(DeviceName value) {
            DType usual = value.kind() == DeviceName.Kind.CPU ? dtype : DType.BF16;
            return new Options(value, backend, usual, weights, threads, text, speculation, kept, progress);
        }

        /// @return these on kernels asked for by name
        public Options withBackend(Backend value) {
            return new Options(device, Optional.of(value), dtype, weights, threads, text, speculation, kept, progress);
        }

        /// @return these in another arithmetic
        public Options withDType(DType value) {
            return new Options(device, backend, value, weights, threads, text, speculation, kept, progress);
        }

        /// @return these with matrices held in another way
        public Options withWeights(Storage value) {
            return new Options(device, backend, dtype, Optional.of(value), threads, text, speculation, kept, progress);
        }

        /// @return these with matrices held as they are stored
        Options withStoredWeights() {
            return new Options(device, backend, dtype, Optional.empty(), threads, text, speculation, kept, progress);
        }

        /// @return these on so many threads
        public Options withThreads(int value) {
            return new Options(device, backend, dtype, weights, value, text, speculation, kept, progress);
        }

        /// @return these for ids alone
        public Options withoutText() {
            return new Options(device, backend, dtype, weights, threads, false, speculation, kept, progress);
        }

        /// @return these with tokens guessed or not
        public Options withSpeculation(Engine.Speculation value) {
            return new Options(device, backend, dtype, weights, threads, text, value, kept, progress);
        }

        /// @return these, with what is read of texts kept for later runs
        public Options withKept(Kept value) {
            return new Options(
                    device, backend, dtype, weights, threads, text, speculation, Optional.of(value), progress);
        }

        /// @return these, reporting what takes time
        public Options withProgress(Progress value) {
            return new Options(device, backend, dtype, weights, threads, text, speculation, kept, value);
        }
    }

    /// Where a model is from, and what its files say besides its weights.
    private record Origin(String name, Optional<Sampling> sampling, Supplier<Pooling> pooling) {}

    private final dev.wok.model.Model network;
    private final Optional<Tokenizer> tokenizer;
    private final Origin origin;
    private final Runnable release;
    private final Engine engine;
    private final AtomicBoolean closed = new AtomicBoolean();

    /// Of the tokenizer, made where it is first asked for.
    private @Nullable Vocabulary vocabulary;

    /// By the tokenizer's chat template, made where it is first asked for.
    private @Nullable Conversations conversations;

    private Model(
            dev.wok.model.Model network,
            Optional<Tokenizer> tokenizer,
            Origin origin,
            Engine.Settings settings,
            Runnable release) {
        this.network = network;
        this.tokenizer = tokenizer;
        this.origin = origin;
        this.release = release;
        engine = new Engine(network, settings);
    }

    /// Loads a model folder or a GGUF file with [Options#defaults].
    ///
    /// @throws BadInput where it cannot be loaded or its parts do not fit together
    public static Model load(Path folderOrFile) {
        return load(folderOrFile, Options.defaults());
    }

    /// Loads a model folder, which is config.json, safetensors, and tokenizer.json where there is one,
    /// or a GGUF file; without a tokenizer the model works on ids alone.
    ///
    /// @throws BadInput where it cannot be loaded or its parts do not fit together, or where there are
    ///     no such kernels on this machine
    public static Model load(Path folderOrFile, Options options) {
        Optional<Tokenizer> tokenizer = options.text() ? loadTokenizer(folderOrFile) : Optional.empty();
        Device device = options.device().open(options.threads());
        try {
            dev.wok.model.Model network = network(folderOrFile, device, options);
            try {
                requireFit(network, tokenizer, folderOrFile);
                Origin origin = new Origin(
                        folderOrFile.toString(), Sampling.load(folderOrFile), () -> Pooling.of(folderOrFile));
                return new Model(network, tokenizer, origin, settings(options, device), () -> {
                    network.close();
                    device.close();
                });
            } catch (RuntimeException | Error e) {
                network.close();
                throw e;
            }
        } catch (RuntimeException | Error e) {
            device.close();
            throw e;
        }
    }

    /// Loads a model's tokenizer without the model.
    ///
    /// @param folderOrFile a model folder or a GGUF file
    /// @return the tokenizer, where there is one
    /// @throws BadInput where it cannot be loaded
    public static Optional<Tokenizer> loadTokenizer(Path folderOrFile) {
        Optional<Path> file = Gguf.find(folderOrFile);
        if (file.isEmpty()) {
            return Files.exists(folderOrFile.resolve(TOKENIZER))
                    ? Optional.of(Tokenizer.load(folderOrFile))
                    : Optional.empty();
        }
        try (Gguf gguf = Gguf.open(file.get())) {
            return gguf.metadata().containsKey("tokenizer.ggml.model")
                    ? Optional.of(Tokenizer.of(gguf.metadata(), file.get().toString()))
                    : Optional.empty();
        }
    }

    private static dev.wok.model.Model network(Path folder, Device device, Options options) {
        Backend backend = options.backend().orElseGet(() -> Kernels.fastest(device));
        Precision precision = options.dtype() == DType.BF16 ? Precision.BF16 : Precision.F32;
        Tuning.ensure(device, backend, options.progress());
        Kernels kernels = Kernels.on(device.stream(), backend, precision);
        if (options.dtype() == DType.F64) {
            return dev.wok.model.Model.load(folder, kernels, DType.F64, options.progress());
        }
        Optional<Storage> asked = precision == Precision.BF16
                ? options.weights().or(() -> Optional.of(Storage.bfloat16()))
                : options.weights();
        return asked.isPresent()
                ? dev.wok.model.Model.open(folder, kernels, asked.get(), options.progress())
                : dev.wok.model.Model.open(folder, kernels, options.progress());
    }

    private static Engine.Settings settings(Options options, Device device) {
        Engine.Settings settings = Engine.Settings.on(device).withSpeculation(options.speculation());
        return options.kept()
                .map(kept -> settings.withDisk(new Engine.Disk(kept.folder(), kept.bytes(), options.progress())))
                .orElse(settings);
    }

    private static void requireFit(dev.wok.model.Model network, Optional<Tokenizer> tokenizer, Path folderOrFile) {
        int ids = tokenizer.map(Tokenizer::size).orElse(0);
        int vocabulary = network.config().vocabSize();
        if (ids > vocabulary) {
            Path file = Files.isDirectory(folderOrFile) ? folderOrFile.resolve(TOKENIZER) : folderOrFile;
            throw new BadInput("%s has %d ids, the model in the same folder knows %d; one of them is of another model."
                    .formatted(file, ids, vocabulary));
        }
    }

    /// A model that is in memory already, such as one in training.
    ///
    /// @param network stays the caller's, and nobody else uses it until this is closed
    public static Model of(dev.wok.model.Model network, Tokenizer tokenizer) {
        Origin origin = new Origin("the model", Optional.empty(), () -> Pooling.MEAN);
        return new Model(network, Optional.of(tokenizer), origin, Engine.Settings.defaults(), () -> {});
    }

    /// @return what the model is made of
    public ModelConfig config() {
        return network.config();
    }

    /// @return what generates beneath, for those who work on ids; closed with this model
    public Engine engine() {
        return engine;
    }

    /// @return what was read of experts from disk since the model was loaded, where it is larger than
    ///     memory
    public Optional<dev.wok.model.Model.DiskReads> diskReads() {
        return network.diskReads();
    }

    /// @return the tokenizer, where the model has one
    public Optional<Tokenizer> tokenizer() {
        return tokenizer;
    }

    /// @return how tokens are to be picked by those who made the model, where its folder says so
    public Optional<Sampling> sampling() {
        return origin.sampling;
    }

    /// @return whether [#chat] is for this model
    public boolean hasChatTemplate() {
        return tokenizer.flatMap(Tokenizer::chatTemplate).isPresent();
    }

    /// Continues a text with [Answer.Options#defaults].
    ///
    /// @see #generate(String, Answer.Options)
    public Answer generate(String prompt) {
        return generate(prompt, Answer.Options.defaults());
    }

    /// Continues a text, which begins with the token that texts began with in training.
    ///
    /// @return the answer, which computes itself as it is read
    /// @throws BadInput where the prompt does not fit into the model's context, the options do not fit
    ///     the model, or it has no tokenizer
    /// @throws IllegalStateException where the model is closed
    public Answer generate(String prompt, Answer.Options options) {
        return generate(ids(prompt), options);
    }

    private int[] ids(String text) {
        return begun(requireTokenizer().encode(text, true));
    }

    /// @return ids with the token before them that texts begin with
    private int[] begun(int[] ids) {
        int bos = requireTokenizer().bosId().orElse(-1);
        if (bos < 0 || ids.length > 0 && ids[0] == bos) {
            return ids;
        }
        int[] begun = new int[ids.length + 1];
        begun[0] = bos;
        System.arraycopy(ids, 0, begun, 1, ids.length);
        return begun;
    }

    private Tokenizer requireTokenizer() {
        return tokenizer.orElseThrow(
                () -> new BadInput("the model folder has no %s; give token ids instead of text.".formatted(TOKENIZER)));
    }

    /// Continues token ids, taken as they are.
    ///
    /// @see #generate(String, Answer.Options)
    public Answer generate(int[] prompt, Answer.Options options) {
        return answer(prompt, options, options.constraint(), Set.of());
    }

    /// @param form what the answer is held to, whatever the options say
    /// @param kept special tokens that are text of the answer
    private Answer answer(int[] prompt, Answer.Options options, Optional<Constraint> form, Set<Integer> kept) {
        requireOpen();
        if (!options.stops().isEmpty()) {
            requireTokenizer();
        }
        Request request = Request.of(prompt)
                .withMaxTokens(options.maxTokens())
                .withSampling(options.sampling())
                .withStopIds(stopIds(options))
                .withLogprobs(options.logprobs())
                .withPromptLogprobs(options.promptLogprobs());
        if (options.deadline().isPresent()) {
            request = request.withDeadline(options.deadline().get());
        }
        if (form.isPresent()) {
            request = request.withForm(new Request.Form(form.get(), vocabulary()));
        }
        engine.check(request);
        return new Answer(engine, request, tokenizer.map(t -> t.decoder(kept)), options.stops());
    }

    private synchronized Vocabulary vocabulary() {
        if (vocabulary == null) {
            vocabulary = Vocabulary.of(requireTokenizer().vocabulary());
        }
        return vocabulary;
    }

    private Set<Integer> stopIds(Answer.Options options) {
        Set<Integer> ids = new HashSet<>();
        for (int id : options.stopIds()) {
            if (id < 0 || id >= config().vocabSize()) {
                throw new BadInput("the stop token %d is not in the model's vocabulary of %d."
                        .formatted(id, config().vocabSize()));
            }
            ids.add(id);
        }
        if (!options.ignoreEos()) {
            tokenizer.ifPresent(t -> t.eosId().ifPresent(ids::add));
            ids.addAll(config().eosTokenIds());
        }
        return ids;
    }

    /// Answers the last message of a conversation with [ChatOptions#defaults].
    ///
    /// @see #chat(List, ChatOptions)
    public Reply chat(List<Message> messages) {
        return chat(messages, ChatOptions.defaults());
    }

    /// Answers the last message of a conversation without tools.
    ///
    /// @see #chat(List, ChatOptions)
    public Reply chat(List<Message> messages, Answer.Options options) {
        return chat(messages, ChatOptions.defaults().withAnswer(options));
    }

    /// Answers the last message of a conversation, written as the model's chat template says, with
    /// thoughts, tools and what else [ChatOptions] says. A conversation's next turn reads only what is
    /// new, for as long as there is memory for what is not.
    ///
    /// Stop texts end the answer wherever they come up, in thoughts and calls too.
    ///
    /// @return the reply, which computes itself as it is read
    /// @throws BadInput as [#generate(String, Answer.Options)], and where the model has no chat
    ///     template, or that refuses the conversation or knows no tools and some are given
    /// @throws IllegalStateException where the model is closed
    public Reply chat(List<Message> messages, ChatOptions options) {
        return chat(messages, options, List.of(options.answer().sampling())).getFirst();
    }

    /// Answers the same several times. What the answers have in common is done once.
    ///
    /// @param samplings how tokens are picked, for each answer, whatever the options say
    /// @return the replies, in that order
    /// @see #chat(List, ChatOptions)
    public List<Reply> chat(List<Message> messages, ChatOptions options, List<Sampling> samplings) {
        Conversations conversations = conversations();
        Conversations.Prompt prompt = conversations.prompt(messages, options);
        Dialect dialect = conversations.dialect();
        Optional<Constraint> form = conversations.form().of(prompt.thinking(), prompt.tools(), options);
        int[] ids = requireTokenizer().encode(prompt.text());
        Set<Integer> tagIds = tagIds(dialect);
        Set<String> tools = prompt.tools().stream().map(Tool::name).collect(Collectors.toSet());
        boolean thinking = prompt.thinking() == Conversations.Thinking.BEGUN;
        List<Reply> replies = new ArrayList<>();
        for (Sampling sampling : samplings) {
            Answer answer = answer(ids, options.answer().withSampling(sampling), form, tagIds);
            replies.add(new Reply(answer, dialect, thinking, tools));
        }
        return replies;
    }

    private Set<Integer> tagIds(Dialect dialect) {
        Tokenizer words = requireTokenizer();
        return dialect.tags().flatMap(tag -> words.id(tag).stream().boxed()).collect(Collectors.toSet());
    }

    /// @return the conversation as the model reads it, special tokens included, up to where its answer
    ///     begins
    /// @throws BadInput as [#chat(List, ChatOptions)]
    public String prompt(List<Message> messages, ChatOptions options) {
        return conversations().prompt(messages, options).text();
    }

    private synchronized Conversations conversations() {
        if (conversations == null) {
            ChatTemplate template = requireTokenizer()
                    .chatTemplate()
                    .orElseThrow(() -> new BadInput(
                            "%s has no chat template (tokenizer_config.json or chat_template.jinja); use generate."
                                    .formatted(origin.name)));
            conversations = new Conversations(requireTokenizer(), template);
        }
        return conversations;
    }

    /// Writes what stands between two texts, as models can that have learnt it (fill in the middle).
    ///
    /// @return the answer, which computes itself as it is read
    /// @throws BadInput as [#generate(String, Answer.Options)], and where the tokenizer has no tokens
    ///     for it
    public Answer fill(String prefix, String suffix, Answer.Options options) {
        Tokenizer words = requireTokenizer();
        Gap gap = Gap.of(words)
                .orElseThrow(() -> new BadInput(
                        "the model's tokenizer has no tokens for filling a gap, such as %s; leave out what follows."
                                .formatted(Gap.example())));
        Set<Integer> stops = new HashSet<>(options.stopIds());
        stops.addAll(gap.stopIds());
        int[] prompt = begun(gap.prompt(words.encode(prefix), words.encode(suffix)));
        return generate(
                prompt, options.withStopIds(stops.stream().mapToInt(id -> id).toArray()));
    }

    /// Says what texts are about: near ones have near vectors, where the model has learnt that. The
    /// final hidden states are pooled as the model folder asks for in `1_Pooling/config.json`; without
    /// it their mean is taken.
    ///
    /// @return one vector of length 1 for each text, `[hidden]`
    /// @throws BadInput where a text does not fit into the model's context or has no tokens, the folder
    ///     asks for what is not supported, or there is no tokenizer
    /// @throws IllegalStateException where the model is closed
    public List<float[]> embed(List<String> texts) {
        requireOpen();
        Pooling how = origin.pooling.get();
        List<int[]> all = texts.stream().map(this::ids).toList();
        List<float[]> vectors = new ArrayList<>();
        for (int from = 0; from < all.size(); ) {
            int to = turn(all, from);
            List<int[]> some = all.subList(from, to);
            vectors.addAll(between(() -> network.embed(some, how)));
            from = to;
        }
        return vectors;
    }

    /// @return where those texts end that are read in one turn, so that whoever else waits does so for
    ///     a chunk, or for one text
    private static int turn(List<int[]> texts, int from) {
        int to = from + 1;
        int tokens = texts.get(from).length;
        while (to < texts.size() && tokens + texts.get(to).length <= dev.wok.model.Model.CHUNK) {
            tokens += texts.get(to++).length;
        }
        return to;
    }

    /// @return what the model is doing, and did since it was loaded
    public Engine.Activity activity() {
        return engine.activity();
    }

    /// Waits for the step in progress.
    ///
    /// @return `[layers, experts]`: how often each routed expert was chosen since the model was loaded;
    ///     a layer without experts has none
    /// @throws IllegalStateException where the model is closed
    public List<long[]> expertUse() {
        return between(network::expertUse);
    }

    /// The logits of every position of a text.
    ///
    /// @param ids one or more
    /// @return `[ids, vocab]`
    /// @throws BadInput where an id is not in the vocabulary
    /// @throws IllegalStateException where the model is closed
    public Tensor logits(int... ids) {
        return between(() -> network.logits(ids));
    }

    private <T> T between(Supplier<T> use) {
        requireOpen();
        List<T> found = new ArrayList<>(1);
        engine.between(() -> found.add(use.get()));
        return found.getFirst();
    }

    private void requireOpen() {
        if (closed.get()) {
            throw new IllegalStateException("the model is closed; load it again, or close it after its last answer");
        }
    }

    /// Gives back all memory and threads, after the step in progress. Answers that have not ended fail
    /// when they are read on.
    @Override
    public void close() {
        if (closed.compareAndSet(false, true)) {
            engine.close();
            release.run();
        }
    }
}
