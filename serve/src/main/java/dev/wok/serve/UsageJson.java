package dev.wok.serve;

import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/// What an answer took, in the words of OpenAI and DeepSeek.
final class UsageJson {
    private UsageJson() {}

    static ObjectNode of(Ended all) {
        ObjectNode usage = JsonNodeFactory.instance
                .objectNode()
                .put("prompt_tokens", all.promptTokens())
                .put("completion_tokens", all.newTokens())
                .put("total_tokens", all.promptTokens() + all.newTokens())
                .put("prompt_cache_hit_tokens", all.knownTokens())
                .put("prompt_cache_miss_tokens", all.promptTokens() - all.knownTokens());
        usage.putObject("prompt_tokens_details").put("cached_tokens", all.knownTokens());
        usage.putObject("completion_tokens_details").put("reasoning_tokens", all.thoughtTokens());
        return usage;
    }
}
