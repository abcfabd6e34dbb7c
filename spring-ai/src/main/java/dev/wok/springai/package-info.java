/// Language models of Wok for Spring AI, in the same process: [dev.wok.springai.WokChatModel] and
/// [dev.wok.springai.WokEmbeddingModel], which [dev.wok.springai.WokAutoConfiguration] sets up.
@org.jspecify.annotations.NullMarked
package dev.wok.springai;
