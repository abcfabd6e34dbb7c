package dev.wok.tune;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/// Puzzles of the kind "3 butts make a cigarette": what is used up leaves something, of which some buy
/// one more, which leaves something again. Who is careless changes only once.
///
/// Parameters: what is there at first, up to `max` (50), and the `price` of one more, up to 9 (9).
final class ExchangeTask extends GeneratedTask {
    static final String NAME = "exchange";

    private static final String PRICE = "price";
    private static final String COUNT = "count";
    private static final String FULL = "full";
    private static final int LOWEST_PRICE = 2;

    /// A story.
    ///
    /// @param full whether what is there at first is still to be used
    /// @param question its first number is the price, its second what is there
    private record Story(boolean full, String question) {}

    private static final List<Story> STORIES = List.of(
            new Story(false, "%d butts make a cigarette. He has %d butts. How many cigarettes can he smoke?"),
            new Story(true, "%d butts make a cigarette. He has %d cigarettes. How many can he smoke?"),
            new Story(false, "%d empty bottles buy a full one. She has %d empty bottles. How many can she drink?"),
            new Story(true, "%d empty bottles buy a full one. She has %d full bottles. How many can she drink?"),
            new Story(false, "%d wrappers buy a chocolate. Tom has %d wrappers. How many chocolates can he eat?"),
            new Story(true, "%d wrappers buy a chocolate. Tom has %d chocolates. How many can he eat?"),
            new Story(true, "%d candle ends make a candle. Ann has %d candles. How many can she burn?"));

    private final int max;
    private final int highestPrice;

    ExchangeTask(Parameters parameters) {
        super(NAME);
        parameters.only("max", PRICE);
        this.max = parameters.whole("max", 50, 20, 100_000);
        this.highestPrice = parameters.whole(PRICE, 9, LOWEST_PRICE, 9);
    }

    @Override
    Problem draw(Draws draws) {
        int price = draws.between(LOWEST_PRICE, highestPrice);
        int count = draws.between(price, max);
        Story story = draws.of(STORIES);
        Map<String, String> data = Map.of(
                PRICE, Integer.toString(price), COUNT, Integer.toString(count), FULL, Boolean.toString(story.full));
        String answer = work(price, count, story.full, false).answer();
        return new Problem(story.question.formatted(price, count), answer, data);
    }

    /// @return the numbers, whatever the story
    @Override
    String canonical(Problem problem) {
        return "%d %d %b".formatted(price(problem), count(problem), isFull(problem));
    }

    @Override
    public Reward accuracy() {
        return Rewards.numeric();
    }

    @Override
    public Optional<String> answer(Completion completion) {
        return Rewards.numericAnswer(completion);
    }

    @Override
    Working careful(Problem problem, Draws draws) {
        return work(price(problem), count(problem), isFull(problem), false);
    }

    @Override
    Working careless(Problem problem, Draws draws) {
        return work(price(problem), count(problem), isFull(problem), true);
    }

    private static Working work(int price, int count, boolean full, boolean once) {
        List<String> lines = new ArrayList<>();
        List<String> used = new ArrayList<>();
        int total = full ? count : 0;
        if (full) {
            used.add(Integer.toString(count));
        }
        int left = count;
        do {
            int more = left / price;
            int rest = left % price;
            lines.add("%d/%d=%d rest %d, %d+%d=%d".formatted(left, price, more, rest, more, rest, more + rest));
            used.add(Integer.toString(more));
            total += more;
            left = more + rest;
        } while (left >= price && !once);
        lines.add(String.join("+", used) + "=" + total);
        return new Working(lines, Integer.toString(total));
    }

    private static int price(Problem problem) {
        return Integer.parseInt(problem.data().getOrDefault(PRICE, ""));
    }

    private static int count(Problem problem) {
        return Integer.parseInt(problem.data().getOrDefault(COUNT, ""));
    }

    private static boolean isFull(Problem problem) {
        return Boolean.parseBoolean(problem.data().get(FULL));
    }
}
