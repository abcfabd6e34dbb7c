package dev.wok.tune;

import java.util.Arrays;

/// A completion as the trainer sees it.
///
/// @param prompt ids
/// @param answer ids that were drawn, the stop token included where one was drawn; one or more
/// @param logprobs of the answer's tokens under the model that drew them, at temperature 1, in nats
/// @param truncated whether it ended because of its length, without a stop token
record Rollout(int[] prompt, int[] answer, double[] logprobs, boolean truncated) {
    Example example() {
        int[] ids = new int[prompt.length + answer.length];
        System.arraycopy(prompt, 0, ids, 0, prompt.length);
        System.arraycopy(answer, 0, ids, prompt.length, answer.length);
        boolean[] learn = new boolean[ids.length];
        Arrays.fill(learn, prompt.length, ids.length, true);
        return new Example(ids, learn);
    }
}
