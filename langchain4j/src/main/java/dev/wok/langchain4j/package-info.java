/// Language models of Wok for LangChain4j, in the same process: [dev.wok.langchain4j.WokChatModel],
/// [dev.wok.langchain4j.WokStreamingChatModel] and [dev.wok.langchain4j.WokEmbeddingModel].
@org.jspecify.annotations.NullMarked
package dev.wok.langchain4j;
