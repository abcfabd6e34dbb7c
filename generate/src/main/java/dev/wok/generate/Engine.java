package dev.wok.generate;

import dev.wok.device.Device;
import dev.wok.model.CachePages;
import dev.wok.model.Chunk;
import dev.wok.model.Model;
import dev.wok.notice.BadInput;
import dev.wok.notice.Progress;
import java.lang.foreign.MemorySegment;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReentrantLock;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/// Generates many texts at once with one model: the door of this room. Each step of the model reads a token
/// of every text that goes on, and parts of prompts beside them; texts come and go between steps. What is
/// known of a text, because another one began alike, is not read again.
///
/// A text depends on its request and the model alone, bit for bit: not on what else is generated, nor on
/// how its prompt was cut or what of it was known.
///
/// The work is done by a thread of the engine's own, which is there while there is work. For any number of
/// threads.
public final class Engine implements AutoCloseable {
    private static final long IDLE_MILLIS = 1000;

    /// Logits from which on one thread alone takes longer to pick.
    private static final long ALONE = 1 << 14;

    private static final String CLOSED = "the engine is closed; close it after its last text has ended";

    /// Whether tokens are guessed by multi-token prediction and read beside the one before, which gives two
    /// tokens a step where the guess is right (speculative decoding). The texts are the same, bit for bit.
    public enum Speculation {
        /// Not at all.
        NEVER,
        /// Where that is measured to be faster meanwhile, on a model that has multi-token prediction.
        WHERE_FASTER,
        /// Each token of each text.
        ALWAYS
    }

    /// Files that hold what was read of texts, for this engine and others to come that run the same model in the
    /// same way: a beginning that is known there is not computed again, whatever process did it. Only whole
    /// pages of [CachePages#TOKENS] tokens.
    ///
    /// @param folder is made where it is missing
    /// @param bytes that files in the folder may take, of all models
    /// @param progress is told what takes time, and what is damaged or cannot be written
    public record Disk(Path folder, long bytes, Progress progress) {
        public Disk {
            if (bytes < 1) {
                throw new BadInput("a cache of %d bytes on disk is asked for, expected 1 or more.".formatted(bytes));
            }
        }
    }

    /// What an engine may take.
    ///
    /// @param cacheBytes of what texts leave behind for those that follow, also those that have ended; memory
    ///     is taken as it is needed
    /// @param sequences texts that are generated at once; more wait
    /// @param speculation whether tokens are guessed
    /// @param disk where texts are kept for engines to come; empty for nowhere
    public record Settings(long cacheBytes, int sequences, Speculation speculation, Optional<Disk> disk) {
        private static final int SEQUENCES = 64;
        private static final int MEMORY_SHARE = 4;

        public Settings {
            if (cacheBytes < 1) {
                throw new BadInput("a cache of %d bytes is asked for, expected 1 or more.".formatted(cacheBytes));
            }
            if (sequences < 1 || sequences > Model.CHUNK) {
                throw new BadInput(
                        "%d texts at once are asked for, expected 1 to %d.".formatted(sequences, Model.CHUNK));
            }
        }

        /// @return a quarter of this machine's memory, 64 texts at once, guesses where they make it faster
        public static Settings defaults() {
            return new Settings(
                    Device.usableMemory() / MEMORY_SHARE, SEQUENCES, Speculation.WHERE_FASTER, Optional.empty());
        }

        /// @return the same with a quarter of a device's memory
        public static Settings on(Device device) {
            return defaults().withCacheBytes(device.usableBytes() / MEMORY_SHARE);
        }

        /// @return these with another size of the cache
        public Settings withCacheBytes(long value) {
            return new Settings(value, sequences, speculation, disk);
        }

        /// @return these for so many texts at once
        public Settings withSequences(int value) {
            return new Settings(cacheBytes, value, speculation, disk);
        }

        /// @return these with tokens guessed or not
        public Settings withSpeculation(Speculation value) {
            return new Settings(cacheBytes, sequences, value, disk);
        }

        /// @return these with what was read of texts kept in files
        public Settings withDisk(Disk value) {
            return new Settings(cacheBytes, sequences, speculation, Optional.of(value));
        }
    }

    /// What an engine is doing, and did since it was made. A text counts until the step has ended in which it ended,
    /// or was cancelled.
    ///
    /// @param running texts that have pages of the cache
    /// @param waiting texts that have none yet, or had to give them back
    /// @param sequences how many may run at once
    /// @param usedPages of the cache, by texts that run
    /// @param keptPages of the cache that hold what ended texts left, for others that begin alike
    /// @param pages of the cache in all
    /// @param promptTokens of prompts, that were read or known, in all; what is read again does not count
    /// @param knownTokens of those, how many were in the cache already
    /// @param newTokens that were generated, in all
    /// @param steps of the model, in all
    /// @param drafts what speculative decoding did, in all
    public record Activity(
            int running,
            int waiting,
            int sequences,
            int usedPages,
            int keptPages,
            int pages,
            long promptTokens,
            long knownTokens,
            long newTokens,
            long steps,
            Generation.Drafts drafts) {}

    private final Model model;
    private final CachePages cache;
    private final @Nullable PageFolder folder;
    private final PagePool pool;
    private final Scheduler scheduler;
    private final Pace pace = new Pace();
    private final Drafting drafting;
    private final int sequences;
    private final Counts counts = new Counts();

    /// Held while the model is used; in the order in which it is asked for.
    private final ReentrantLock turn = new ReentrantLock(true);

    private final Map<Sequence, Text> texts = new HashMap<>();

    private final AtomicLong arrived = new AtomicLong();

    /// Guards what follows.
    private final Object door = new Object();

    private final List<Text> arrivals = new ArrayList<>();
    private @Nullable Thread worker;
    private boolean closed;

    /// Without the arrivals.
    private Activity activity;

    /// @param model stays the caller's, and nobody else uses it but through [#between]
    /// @throws BadInput where guesses are asked for that the model cannot make, or the folder for texts cannot be
    ///     used
    /// @throws IllegalStateException where texts are to be kept of a model that was not opened to infer
    public Engine(Model model, Settings settings) {
        this.model = model;
        if (settings.speculation == Speculation.ALWAYS && !model.drafts()) {
            throw new BadInput(
                    "the model has no multi-token prediction, which guesses tokens; ask for no speculation.");
        }
        drafting = new Drafting(model.drafts() ? settings.speculation : Speculation.NEVER);
        int contexts = settings.sequences * CachePages.pages(model.config().maxPositionEmbeddings());
        int pages = (int) Math.clamp(settings.cacheBytes / model.pageBytes(), 1, contexts);
        folder = settings.disk.map(disk -> folder(model, disk)).orElse(null);
        cache = model.cachePages(pages);
        pool = new PagePool(pages, CachePages.TOKENS, folder);
        sequences = settings.sequences;
        scheduler = new Scheduler(pool, CachePages.TOKENS, Model.CHUNK, sequences);
        activity = counts.activity(scheduler, pool, sequences);
    }

    private static PageFolder folder(Model model, Disk disk) {
        return new PageFolder(disk, model.fingerprint(disk.progress()), CachePages.TOKENS, model.pageBytes());
    }

    /// Begins a text.
    ///
    /// @throws BadInput where the request does not fit the model or the cache
    /// @throws IllegalStateException where the engine is closed
    public Decoding submit(Request request) {
        // What its form takes to be made ready, nobody else waits for.
        Text text = new Text(
                arrived.getAndIncrement(),
                request,
                limit(request),
                model.config().vocabSize());
        synchronized (door) {
            if (closed) {
                throw new IllegalStateException(CLOSED);
            }
            if (!text.decoding.hasEnded()) {
                arrivals.add(text);
                if (worker == null) {
                    worker = Thread.ofPlatform().daemon().name("wok-engine").start(this::work);
                }
                door.notifyAll();
            }
            return text.decoding;
        }
    }

    /// Refuses what [#submit] would refuse.
    ///
    /// @throws BadInput where the request does not fit the model or the cache
    public void check(Request request) {
        int _ = limit(request);
    }

    /// @return how long the text may become
    private int limit(Request request) {
        int[] prompt = request.prompt();
        int context = model.config().maxPositionEmbeddings();
        int vocabulary = model.config().vocabSize();
        if (prompt.length > context) {
            throw new BadInput(
                    "the prompt has %d tokens, the model's context holds %d.".formatted(prompt.length, context));
        }
        for (int id : prompt) {
            if (id < 0 || id >= vocabulary) {
                throw new BadInput("token id %d is not in the model's vocabulary of %d.".formatted(id, vocabulary));
            }
        }
        for (int id : new TreeSet<>(request.sampling().logitBias().keySet())) {
            if (id >= vocabulary) {
                throw new BadInput("a logit bias is for token %d, which is not in the model's vocabulary of %d."
                        .formatted(id, vocabulary));
            }
        }
        request.form().ifPresent(form -> requireFit(form.vocabulary(), vocabulary));
        int limit = (int) Math.min(context, (long) prompt.length + request.maxTokens());
        long most = (long) pool.pages() * CachePages.TOKENS;
        if (request.maxTokens() == Request.ALL && prompt.length < most) {
            return (int) Math.min(limit, most);
        }
        if (limit > most) {
            throw new BadInput("the prompt and its answer may take %d tokens, the cache holds %d; ask for fewer or"
                            .formatted(limit, most)
                    + " give it more memory.");
        }
        return limit;
    }

    private static void requireFit(Vocabulary tokens, int vocabulary) {
        if (tokens.size() > vocabulary) {
            throw new BadInput("a form is given for a vocabulary of %d, the model's is of %d."
                    .formatted(tokens.size(), vocabulary));
        }
    }

    /// Runs something that needs the model, between two steps.
    ///
    /// @throws IllegalStateException where the engine is closed
    public void between(Runnable use) {
        turn.lock();
        try {
            synchronized (door) {
                if (closed) {
                    throw new IllegalStateException(CLOSED);
                }
            }
            use.run();
        } finally {
            turn.unlock();
        }
    }

    /// @return what it is doing and did, without waiting for the step in progress
    public Activity activity() {
        synchronized (door) {
            return new Activity(
                    activity.running,
                    activity.waiting + arrivals.size(),
                    activity.sequences,
                    activity.usedPages,
                    activity.keptPages,
                    activity.pages,
                    activity.promptTokens,
                    activity.knownTokens,
                    activity.newTokens,
                    activity.steps,
                    activity.drafts);
        }
    }

    /// Forgets what was read for texts that have ended, such as when the model's weights were changed.
    public void forget() {
        between(() -> {
            welcome();
            pool.forget();
            publish();
        });
    }

    // ---------------------------------------------------------------------------------------------- the worker

    private void work() {
        do {
            boolean more = true;
            while (more) {
                more = step();
            }
        } while (waitForWork());
    }

    /// @return whether there is some; else this thread is the engine's no longer
    private boolean waitForWork() {
        synchronized (door) {
            if (arrivals.isEmpty() && !closed) {
                try {
                    door.wait(IDLE_MILLIS);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
            if (arrivals.isEmpty() || closed) {
                worker = null;
                return false;
            }
            return true;
        }
    }

    /// Schedules, runs and finishes a step.
    ///
    /// @return whether there was anything to do
    private boolean step() {
        turn.lock();
        try {
            welcome();
            if (texts.isEmpty()) {
                return false;
            }
            int texts = scheduler.answering();
            Step step = scheduler.schedule(pace.promptTokens(texts), drafting.reads(texts));
            int answering = step.answering();
            int prompts = step.promptTokens();
            int drafts = step.drafts();
            publish();
            long begin = System.nanoTime();
            List<float[]> logits = run(step, begin);
            long end = System.nanoTime();
            pace.took(answering, prompts, end - begin);
            long making = finish(step, logits, end);
            if (answering > 0) {
                drafting.took(answering, drafts, prompts > 0, end - begin, making);
            }
            return true;
        } catch (RuntimeException | Error e) {
            fail(e instanceof RuntimeException failure ? failure : new IllegalStateException(e.toString(), e));
            return false;
        } finally {
            turn.unlock();
        }
    }

    /// Takes in who has come, and lets go who has ended.
    private void welcome() {
        synchronized (door) {
            for (Text text : arrivals) {
                texts.put(text.sequence, text);
                scheduler.add(text.sequence);
            }
            arrivals.clear();
            letGo();
            publish();
        }
    }

    private void letGo() {
        long now = System.nanoTime();
        for (Iterator<Text> all = texts.values().iterator(); all.hasNext(); ) {
            Text text = all.next();
            if (text.hasEnded(now)) {
                scheduler.remove(text.sequence);
                all.remove();
            }
        }
    }

    /// Lets [#activity] say how it is now.
    private void publish() {
        synchronized (door) {
            activity = counts.activity(scheduler, pool, sequences);
        }
    }

    /// @return `[vocab]` for each token that can be picked, in the order of the readings
    private List<float[]> run(Step step, long now) {
        for (PagePool.Filling filling : step.fillings()) {
            switch (filling) {
                case PagePool.Copy(int from, int to, int tokens) -> cache.copy(from, to, tokens);
                case PagePool.Kept(MemorySegment contents, int to) -> cache.write(to, contents);
            }
        }
        List<Chunk> chunks = new ArrayList<>();
        List<Row> rows = new ArrayList<>();
        for (Step.Reading reading : step.readings()) {
            Text text = text(reading.sequence());
            counts.prompt(text.reads(reading, now));
            int logits = reading.logits();
            int to = reading.from() + reading.count();
            IntStream.range(to - logits, to).forEach(position -> rows.add(new Row(text, position)));
            chunks.add(new Chunk(text.sequence.table().numbers(), reading.from(), reading.ids(), logits));
        }
        List<float[]> picks = new ArrayList<>();
        model.extend(cache, chunks, (some, before) -> {
            List<Row> these = rows.subList(before, before + some.size());
            score(these, some);
            IntStream.range(0, these.size()).filter(i -> !these.get(i).scores()).forEach(i -> picks.add(some.get(i)));
        });
        return picks;
    }

    /// Logits that are wanted.
    ///
    /// @param position of the token that they come after
    private record Row(Text text, int position) {
        boolean scores() {
            return text.scores(position);
        }
    }

    /// Takes those of prompts, each of which has a vocabulary to sum over.
    private void score(List<Row> rows, List<float[]> logits) {
        int[] prompts = IntStream.range(0, rows.size())
                .filter(i -> rows.get(i).scores())
                .toArray();
        device().each(
                        prompts.length,
                        i -> rows.get(prompts[i]).text.score(rows.get(prompts[i]).position, logits.get(prompts[i])));
    }

    private Device device() {
        return model.kernels().stream().device();
    }

    /// @return nanoseconds that drafts took
    private long finish(Step step, List<float[]> logits, long now) {
        List<Pick> picks = new ArrayList<>();
        int at = 0;
        for (Step.Reading reading : step.readings()) {
            if (reading.picks() > 0) {
                picks.add(new Pick(text(reading.sequence()), logits.subList(at, at + reading.picks())));
                at += reading.picks();
            }
        }
        boolean work = (long) logits.size() * model.config().vocabSize() >= ALONE;
        List<Pick> free =
                work ? picks.stream().filter(pick -> pick.text.isFree()).toList() : List.of();
        device().each(free.size(), i -> free.get(i).run(now));
        for (Pick pick : picks) {
            if (!work || !pick.text.isFree()) {
                pick.run(now);
            }
            pick.draft.ifPresent(this::compared);
            counts.picked(pick.tokens);
        }
        counts.step();
        long begin = System.nanoTime();
        boolean made = drafting.makes(scheduler.running()) && draft(step);
        long nanos = made ? System.nanoTime() - begin : 0;
        for (Page page : scheduler.finish(step)) {
            if (folder != null) {
                folder.keep(page.key, page.ids, () -> cache.read(page.number));
            }
        }
        return nanos;
    }

    /// Tokens of a text that are picked after a step. Texts know nothing of each other, but what they
    /// must be is shared by some.
    private static final class Pick {
        final Text text;
        private final List<float[]> logits;
        private Optional<Boolean> draft = Optional.empty();
        private int tokens;

        Pick(Text text, List<float[]> logits) {
            this.text = text;
            this.logits = logits;
        }

        void run(long now) {
            int length = text.sequence.length();
            draft = text.pick(logits, now);
            tokens = text.sequence.length() - length;
        }
    }

    private void compared(boolean draftWasRight) {
        drafting.compared(draftWasRight);
        counts.drafted(draftWasRight);
    }

    /// Guesses what comes after the tokens that were picked, and reads prompts for guesses to come.
    ///
    /// @return whether there was anything to do
    private boolean draft(Step step) {
        List<Chunk> chunks = new ArrayList<>();
        List<Integer> rows = new ArrayList<>();
        List<Text> takers = new ArrayList<>();
        int row = 0;
        for (Step.Reading reading : step.readings()) {
            Sequence sequence = reading.sequence();
            Text text = text(sequence);
            if (!text.decoding.hasEnded()) {
                int from = reading.from();
                int[] next = Arrays.copyOfRange(sequence.text(), from + 1, from + 1 + reading.kept());
                boolean takes = text.takesDraft();
                chunks.add(new Chunk(sequence.table().numbers(), from, next, takes ? 1 : 0));
                rows.add(row);
                if (takes) {
                    takers.add(text);
                }
            }
            row += reading.count();
        }
        if (chunks.isEmpty()) {
            return false;
        }
        List<float[]> logits = model.draft(
                cache, chunks, rows.stream().mapToInt(Integer::intValue).toArray());
        for (int i = 0; i < logits.size(); i++) {
            takers.get(i).draft(logits.get(i));
        }
        return true;
    }

    private Text text(Sequence sequence) {
        Text text = texts.get(sequence);
        if (text == null) {
            throw new IllegalStateException("a sequence that nobody asked for");
        }
        return text;
    }

    private void fail(RuntimeException why) {
        for (Text text : texts.values()) {
            text.decoding.fail(why);
            scheduler.remove(text.sequence);
        }
        texts.clear();
        pool.forget();
        publish();
    }

    /// Ends all texts after the step in progress, and gives the cache back.
    @Override
    public void close() {
        List<Text> left;
        synchronized (door) {
            if (closed) {
                return;
            }
            closed = true;
            left = List.copyOf(arrivals);
            arrivals.clear();
            door.notifyAll();
        }
        turn.lock();
        try {
            IllegalStateException why = new IllegalStateException(CLOSED);
            left.forEach(text -> text.decoding.fail(why));
            fail(why);
            cache.close();
        } finally {
            turn.unlock();
        }
    }
}
