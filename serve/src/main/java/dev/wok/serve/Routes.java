package dev.wok.serve;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/// Which paths there are for programs.
final class Routes {
    private static final String GET = "GET";
    private static final String POST = "POST";

    private Routes() {}

    /// @return OpenAI's and Anthropic's paths under `/v1`, DeepSeek's without it and under `/beta`,
    ///     llama.cpp's and
    /// vLLM's
    static List<Endpoint> all() {
        Route list = new ModelList();
        Route byId = new ModelById();
        List<Endpoint> all = new ArrayList<>();
        for (String root : List.of("/v1", "")) {
            all.add(new Endpoint(GET, root + "/models", list));
            all.add(new Endpoint(GET, root + "/models" + Endpoint.ID, byId));
        }
        Route chat = new ChatCompletions();
        Route completions = new Completions();
        for (String root : List.of("/v1", "", "/beta")) {
            all.add(new Endpoint(POST, root + "/chat/completions", chat));
            all.add(new Endpoint(POST, root + "/completions", completions));
        }
        Route embeddings = new Embeddings();
        Map.of(
                        "/v1/responses", new Responses(),
                        "/v1/messages", new AnthropicMessages(),
                        "/v1/messages/count_tokens", new CountTokens(),
                        "/v1/embeddings", embeddings,
                        "/embeddings", embeddings,
                        "/tokenize", new Tokenize(),
                        "/detokenize", new Detokenize(),
                        "/apply-template", new ApplyTemplate())
                .forEach((path, route) -> all.add(new Endpoint(POST, path, route)));
        return List.copyOf(all);
    }
}
