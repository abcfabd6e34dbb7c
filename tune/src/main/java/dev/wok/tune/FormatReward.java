package dev.wok.tune;

/// See [Rewards#format].
///
/// @param opened whether the thoughts were begun by the prompt
record FormatReward(boolean opened) implements Reward {
    @Override
    public Score score(Problem problem, Completion completion) {
        String fault = fault(completion);
        return fault.isEmpty() ? Rewards.RIGHT : new Score(0, fault);
    }

    private String fault(Completion completion) {
        if (completion.truncated()) {
            return "cut off";
        }
        return fault(opened ? Answers.THINK.concat(completion.text()) : completion.text());
    }

    private static String fault(String text) {
        for (String tag : new String[] {Answers.THINK, Answers.THOUGHT, Answers.OPEN, Answers.CLOSE}) {
            int first = text.indexOf(tag);
            if (first < 0 || text.indexOf(tag, first + 1) >= 0) {
                return (first < 0 ? "no " : "more than one ") + tag;
            }
        }
        int think = text.indexOf(Answers.THINK);
        int thought = text.indexOf(Answers.THOUGHT);
        int open = text.indexOf(Answers.OPEN);
        int close = text.indexOf(Answers.CLOSE);
        if (think > thought || thought > open || open > close) {
            return "tags out of order";
        }
        if (!text.substring(0, think).isBlank()
                || !text.substring(thought + Answers.THOUGHT.length(), open).isBlank()
                || !text.substring(close + Answers.CLOSE.length()).isBlank()) {
            return "text outside the tags";
        }
        boolean filled =
                !text.substring(think + Answers.THINK.length(), thought).isBlank()
                        && !text.substring(open + Answers.OPEN.length(), close).isBlank();
        return filled ? "" : "nothing between tags";
    }
}
