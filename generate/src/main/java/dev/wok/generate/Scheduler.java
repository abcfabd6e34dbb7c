package dev.wok.generate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;

/// Decides what is read next, on counts and tables alone.
///
/* Every sequence that answers reads its token in each step, and its draft where there is a page for it and drafts take no
 * more than half of what is left; what a step has room for beside them are parts of prompts. Of those of one priority, who
 * came first gets half of that room at least, so that it gets on; the rest goes to those who have least to read, so that a
 * short prompt need not wait for a long one. Higher priorities come before lower ones in everything.
 *
 * A prompt whose beginning another one is reading waits for that rather than read it too. Where pages run out, the last in
 * the order gives its own back and waits; what it has read stays known for as long as nobody needs those pages.
 */
final class Scheduler {
    private final PagePool pool;
    private final int pageTokens;
    private final int stepTokens;
    private final int most;
    private final TreeSet<Sequence> running = new TreeSet<>(Sequence.ORDER);
    private final TreeSet<Sequence> waiting = new TreeSet<>(Sequence.ORDER);

    /// @param pageTokens tokens of a page
    /// @param stepTokens tokens that are read at once, at most
    /// @param most sequences that run at once
    Scheduler(PagePool pool, int pageTokens, int stepTokens, int most) {
        this.pool = pool;
        this.pageTokens = pageTokens;
        this.stepTokens = stepTokens;
        this.most = Math.min(most, stepTokens);
    }

    /// Takes a sequence in, which the pool has pages enough for.
    void add(Sequence sequence) {
        waiting.add(sequence);
    }

    /// Lets a sequence go.
    void remove(Sequence sequence) {
        waiting.remove(sequence);
        if (running.remove(sequence)) {
            giveBack(sequence);
        }
    }

    private void giveBack(Sequence sequence) {
        pool.release(sequence.table());
        sequence.table = null;
    }

    /// @return all that are here, in their order
    List<Sequence> sequences() {
        List<Sequence> all = new ArrayList<>(running);
        all.addAll(waiting);
        all.sort(Sequence.ORDER);
        return all;
    }

    /// @return how many answer: have nothing to read but what they picked
    int answering() {
        return (int) running.stream().filter(Sequence::answers).count();
    }

    /// @return how many have no pages yet, or none any more
    int waiting() {
        return waiting.size();
    }

    /// @return how many are not waiting
    int running() {
        return running.size();
    }

    /// Decides on a step.
    ///
    /// @param promptTokens how much of prompts is read beside sequences that answer, at most
    /// @param drafts whether sequences that answer read their drafts
    /// @return reads something, but where there are no sequences
    Step schedule(int promptTokens, boolean drafts) {
        List<PagePool.Filling> fillings = new ArrayList<>();
        join(fillings);
        for (Sequence sequence : running) {
            adopt(sequence, fillings);
        }
        int answering = answering();
        int draftsLeft = drafts ? (stepTokens - answering) / 2 : 0;
        int reserved = Math.min(draftsLeft, drafts());
        int budget = answering == 0 ? stepTokens : Math.min(promptTokens, stepTokens - answering - reserved);
        Map<Sequence, Integer> shares = shares(budget);
        List<Step.Reading> readings = new ArrayList<>();
        for (Sequence sequence : List.copyOf(running)) {
            if (sequence.runs()) {
                boolean draft = draftsLeft > 0 && readsDraft(sequence);
                draftsLeft -= draft ? 1 : 0;
                int wanted = sequence.answers() ? 1 : shares.getOrDefault(sequence, 0);
                int tokens = draft ? 2 : makeRoom(sequence, wanted);
                if (tokens > 0) {
                    int from = sequence.read();
                    int[] ids = Arrays.copyOfRange(sequence.text(), from, from + tokens);
                    readings.add(new Step.Reading(sequence, from, ids));
                }
            }
        }
        return new Step(fillings, readings);
    }

    private int drafts() {
        return (int) running.stream()
                .filter(sequence -> sequence.answers() && sequence.hasDraft())
                .count();
    }

    /// @return whether a sequence has a draft to read, for which nobody needs to wait
    private boolean readsDraft(Sequence sequence) {
        return sequence.answers() && sequence.hasDraft() && pool.reserve(sequence.table(), 2);
    }

    /// Notes that a step was run and tokens were picked.
    ///
    /// @return pages that are full now
    List<Page> finish(Step step) {
        List<Page> full = new ArrayList<>();
        for (Step.Reading reading : step.readings()) {
            Sequence sequence = reading.sequence();
            sequence.settle(reading.from() + reading.count());
            full.addAll(pool.note(sequence.table(), sequence.text(), reading.from(), reading.kept()));
        }
        return full;
    }

    /// Lets those run that wait, while there are pages for all that they have to read.
    private void join(List<PagePool.Filling> fillings) {
        while (!waiting.isEmpty() && running.size() < most) {
            Sequence next = waiting.getFirst();
            Table table = new Table();
            next.table = table;
            adopt(next, fillings);
            if (!running.isEmpty() && pool.room(table) <= next.unread()) {
                giveBack(next);
                return;
            }
            waiting.remove(next);
            running.add(next);
        }
    }

    private void adopt(Sequence sequence, List<PagePool.Filling> fillings) {
        if (!sequence.answers()) {
            fillings.addAll(pool.adopt(sequence.table(), sequence.text(), sequence.adoptable()));
        }
    }

    /// @return how many tokens each sequence reads of its prompt
    private Map<Sequence, Integer> shares(int budget) {
        Map<Sequence, Integer> shares = new HashMap<>();
        Map<Integer, List<Sequence>> byPriority = prompts().stream()
                .collect(Collectors.groupingBy(
                        Sequence::priority, () -> new TreeMap<>(Collections.reverseOrder()), Collectors.toList()));
        int left = budget;
        for (List<Sequence> equals : byPriority.values()) {
            left = share(equals, left, shares);
        }
        return shares;
    }

    /// @param equals of one priority, in their order
    /// @return what is left of the budget
    private static int share(List<Sequence> equals, int budget, Map<Sequence, Integer> shares) {
        Sequence first = equals.getFirst();
        int left = budget - give(first, Math.ceilDiv(budget, 2), shares);
        List<Sequence> shortest = new ArrayList<>(equals.subList(1, equals.size()));
        shortest.sort(Comparator.comparingInt(Sequence::unread));
        for (Sequence sequence : shortest) {
            left -= give(sequence, left, shares);
        }
        return left - give(first, left, shares);
    }

    private static int give(Sequence sequence, int tokens, Map<Sequence, Integer> shares) {
        int given = Math.min(tokens, sequence.unread() - shares.getOrDefault(sequence, 0));
        shares.merge(sequence, given, Integer::sum);
        return given;
    }

    /// @return sequences that read a prompt, without those that wait for what another one is reading
    private Collection<Sequence> prompts() {
        List<Sequence> prompts = new ArrayList<>();
        List<Sequence> reading = new ArrayList<>();
        for (Sequence sequence : running) {
            if (!sequence.answers()) {
                if (prompts.stream().noneMatch(other -> leads(other, sequence))) {
                    reading.add(sequence);
                }
                prompts.add(sequence);
            }
        }
        return reading;
    }

    /// Whether a sequence that comes first will have read a page that the other one would read now.
    private boolean leads(Sequence first, Sequence second) {
        int read = second.read();
        if (read % pageTokens != 0 || first.read() < read) {
            return false;
        }
        int most = Math.min(first.length(), second.adoptable());
        int differs = Arrays.mismatch(first.text(), 0, most, second.text(), 0, most);
        int common = (differs < 0 ? most : differs) / pageTokens * pageTokens;
        return common > read && common > first.read();
    }

    /// Makes pages available for tokens, by letting those wait that come last.
    ///
    /// @return for how many tokens there are pages
    private int makeRoom(Sequence sequence, int tokens) {
        int wanted = tokens;
        while (wanted > 0 && !pool.reserve(sequence.table(), wanted)) {
            Sequence last = running.getLast();
            if (last != sequence) {
                yieldTo(last);
            } else if (pool.room(sequence.table()) > 0) {
                wanted = Math.min(wanted, pool.room(sequence.table()));
            } else {
                yieldTo(sequence);
                return 0;
            }
        }
        return wanted;
    }

    private void yieldTo(Sequence last) {
        running.remove(last);
        giveBack(last);
        waiting.add(last);
    }
}
